#include "tool/views/threshold.h"

#include <gtest/gtest.h>

#include "tool/client/failure.h"

namespace tenants::tool {
namespace {

using Who = Threshold::Who;
using Of = Threshold::Of;

std::string wrong(Measure measure, std::string_view sentence) {
  try {
    parse_threshold(measure, sentence);
  } catch (const Failure& failure) {
    EXPECT_EQ(failure.code, Exit::kUsage);
    return failure.what();
  }
  return "nothing is wrong";
}

TEST(Threshold, is_a_sentence_that_people_would_type) {
  Threshold any = parse_threshold(Measure::kMemory, "any > 500MB");
  EXPECT_EQ(any.who, Who::kAny);
  EXPECT_EQ(any.of, Of::kBytes);
  EXPECT_EQ(any.limit, 500e6);
  EXPECT_FALSE(any.warning);
  Threshold app = parse_threshold(Measure::kConnections, "app1>1k  warn");
  EXPECT_EQ(app.who, Who::kName);
  EXPECT_EQ(app.name, "app1");
  EXPECT_EQ(app.limit, 1000);
  EXPECT_TRUE(app.warning);
  Threshold shop = parse_threshold(Measure::kMemory, "shop* >= 80 % of maxmemory crit");
  EXPECT_EQ(shop.who, Who::kGlob);
  EXPECT_EQ(shop.of, Of::kMaxmemory);
  EXPECT_EQ(shop.limit, 80);
  EXPECT_EQ(parse_threshold(Measure::kHitRatio, "any < 50%").limit, 0.5);
  EXPECT_EQ(parse_threshold(Measure::kKeys, "total<=5").who, Who::kTotal);
  EXPECT_EQ(parse_threshold(Measure::kOrphans, "> 10").of, Of::kCount);
  EXPECT_EQ(parse_threshold(Measure::kOrphans, "> 10MiB").limit, 10 * 1048576.0);
  EXPECT_TRUE(parse_threshold(Measure::kHitRatio, "prefix app1:* < 0.5").prefix);
  EXPECT_FALSE(parse_threshold(Measure::kHitRatio, "prefix < 0.5").prefix) << "a tenant of that name";
}

TEST(Threshold, rates_and_growth_are_over_a_window_that_the_servers_remember) {
  EXPECT_EQ(parse_threshold(Measure::kCpu, "any > 50%").window, 60);
  EXPECT_EQ(parse_threshold(Measure::kCpu, "any > 50% in 10s").window, 10);
  EXPECT_EQ(parse_threshold(Measure::kGrowth, "any > 100MB").window, 300);
  EXPECT_EQ(parse_threshold(Measure::kErrors, "any > 5/s").of, Of::kPerSecond);
  EXPECT_EQ(parse_threshold(Measure::kErrors, "any > 1.5k/s in 5m").limit, 1500);
  Threshold count = parse_threshold(Measure::kDenied, "any > 100 in 5m warn");
  EXPECT_EQ(count.of, Of::kCount);
  EXPECT_EQ(count.window, 300);
  EXPECT_EQ(count.limit_text(), "> 100 in 5m");
}

TEST(Threshold, what_is_wrong_is_told_with_its_column_and_what_is_allowed) {
  EXPECT_EQ(
      wrong(Measure::kMemory, "any > 5x"),
      "--memory 'any > 5x', column 8: allowed units are B, kB, MB, GB, TB (1000), KiB, MiB, GiB, TiB (1024), % of "
      "maxmemory");
  EXPECT_NE(wrong(Measure::kMemory, "any > 500M").find("column 10: allowed units"), std::string::npos)
      << "M could be either";
  EXPECT_NE(wrong(Measure::kMemory, "any > 80%").find("column 9: % of what"), std::string::npos);
  EXPECT_NE(wrong(Measure::kMemory, "> 5MB").find("column 1: who is missing"), std::string::npos);
  EXPECT_NE(wrong(Measure::kMemory, "app1").find("column 5: a comparison is missing"), std::string::npos);
  EXPECT_NE(wrong(Measure::kMemory, "app1 > -5MB").find("column 8: allowed is a number"), std::string::npos);
  EXPECT_NE(wrong(Measure::kErrors, "any > 5").find("column 8: in which time"), std::string::npos);
  EXPECT_NE(wrong(Measure::kErrors, "any > 5/s in 2m").find("column 14: the servers remember"), std::string::npos);
  EXPECT_NE(wrong(Measure::kKeys, "any > 5 warn now").find("column 14: there is too much"), std::string::npos);
  EXPECT_NE(wrong(Measure::kHitRatio, "any < 50").find("allowed is 0 to 1"), std::string::npos);
  EXPECT_NE(wrong(Measure::kOrphans, "any > 5").find("column 1"), std::string::npos);
  EXPECT_NE(wrong(Measure::kCpu, "prefix a > 5%").find("prefixes have only"), std::string::npos);
  EXPECT_NE(wrong(Measure::kKeys, "any > 5\x1b").find("%1B"), std::string::npos);
}

TEST(Threshold, the_modules_own_rows_are_meant_only_by_their_bracket) {
  Threshold any = parse_threshold(Measure::kKeys, "any > 5"), own = parse_threshold(Measure::kKeys, "(o* > 5");
  EXPECT_TRUE(any.means("app1", "app1", false));
  EXPECT_FALSE(any.means("(orphans)", "(orphans)", true));
  EXPECT_TRUE(own.means("(orphans)", "(orphans)", true));
  EXPECT_FALSE(own.means("(other)", "%28other)", false)) << "a user cannot pass for one";
  EXPECT_TRUE(parse_threshold(Measure::kKeys, "a%20b > 5").means("a b", "a%20b", false));
  EXPECT_TRUE(parse_threshold(Measure::kKeys, "%61ny > 5").means("any", "any", false));
}

TEST(Threshold, a_limit_reads_as_it_was_written_and_as_plug_ins_write_it) {
  Threshold more = parse_threshold(Measure::kMemory, "any > 500MB");
  EXPECT_EQ(more.value_text(612'500'000) + " " + more.limit_text(), "612.5MB > 500MB");
  EXPECT_EQ(more.range(), "500000000");
  EXPECT_EQ(parse_threshold(Measure::kHitRatio, "any < 0.5").range(), "0.5:");
  EXPECT_EQ(parse_threshold(Measure::kKeys, "any >= 10").range(), "@10:");
  EXPECT_EQ(parse_threshold(Measure::kKeys, "any <= 10").range(), "@10");
  EXPECT_TRUE(parse_threshold(Measure::kKeys, "any >= 10").beyond(10));
  EXPECT_FALSE(parse_threshold(Measure::kKeys, "any > 10").beyond(10));
  EXPECT_TRUE(parse_threshold(Measure::kKeys, "any <= 10").beyond(10));
  EXPECT_FALSE(parse_threshold(Measure::kKeys, "any < 10").beyond(10));
}

}  // namespace
}  // namespace tenants::tool
