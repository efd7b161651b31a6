// What a dashboard must be for tsc: @grafana/schema's types, with the enumerations as the texts that stand in JSON.
import type { Dashboard, FieldConfig, GraphFieldConfig, Panel, RowPanel, TableFieldOptions } from "@grafana/schema";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as Table } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type { Options as TimeSeries } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type Text<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Text<T[K]> } : T;

type Of<Kind, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig"> & {
  type: Kind;
  options: Partial<Options>;
  fieldConfig: { defaults: Omit<FieldConfig, "custom"> & { custom: Partial<Custom> }; overrides: NonNullable<Panel["fieldConfig"]>["overrides"] };
};

type AnyPanel = Of<"stat", Stat, {}> | Of<"table", Table, TableFieldOptions> | Of<"timeseries", TimeSeries, GraphFieldConfig> | RowPanel;

export type Checked = Text<Omit<Dashboard, "panels"> & { panels: AnyPanel[] }>;
