// The header of Authorization: let in is who sends "Basic " and the base64, in its one canonical form, of a user and
// the password that is his; nobody else.
#include <crypt.h>

#include <array>

#include "tests/fuzz/input.h"
#include "tool/exporter/passwords.h"

using namespace tenants;
using namespace tenants::tool;

namespace {

constexpr const char* kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(const std::string& text) {
  std::string encoded;
  for (std::size_t i = 0; i < text.size(); i += 3) {
    std::uint32_t three = 0;
    for (std::size_t j = i; j < i + 3; ++j)
      three = three << 8 | (j < text.size() ? static_cast<unsigned char>(text[j]) : 0);
    for (int shift = 18; shift >= 0; shift -= 6) encoded += kBase64[three >> shift & 63];
  }
  if (std::size_t rest = text.size() % 3) encoded.replace(encoded.size() - (3 - rest), 3 - rest, 3 - rest, '=');
  return encoded;
}

std::string bcrypt(const char* password) {
  crypt_data room{};
  return crypt_r(password, "$2b$04$abcdefghijklmnopqrstuu", &room);
}

const std::string kRight[] = {"ops:secret", "prometheus:a:b", "nothing:"};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Passwords passwords({{"ops", bcrypt("secret")}, {"prometheus", bcrypt("a:b")}, {"nothing", bcrypt("")}});
  Input input(data, size);
  std::string header = input.ConsumeBool() ? "Basic " : input.ConsumeRandomLengthString(8);
  switch (input.ConsumeIntegralInRange(0, 3)) {
    case 0:
      header += input.ConsumeRemainingBytesAsString();
      break;
    case 1:
      header += base64(input.ConsumeRemainingBytesAsString());
      break;
    default: {  // a right one, with a byte or two made wrong
      std::string text = base64(input.PickValueInArray(kRight));
      for (int changes = input.ConsumeIntegralInRange(0, 2); changes > 0; --changes)
        text[input.ConsumeIntegralInRange<std::size_t>(0, text.size() - 1)] = input.ConsumeIntegral<char>();
      header += input.ConsumeRandomLengthString(4) + text + input.ConsumeRandomLengthString(4);
    }
  }
  bool right = false;
  for (const std::string& each : kRight)
    right |= header.size() > 6 && header.substr(6) == base64(each) && strncasecmp(header.c_str(), "basic ", 6) == 0;
  require(passwords.accept(header) == right);
  require(passwords.accept(header) == right);  // and remembers nobody else
  return 0;
}
