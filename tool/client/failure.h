// Why something could not be done, in words for the operator, and as the exit code of the program.
#pragma once

#include <stdexcept>
#include <string>

namespace tenants::tool {

enum class Exit : int {
  kOk = 0,
  kError = 1,
  kUsage = 2,     // options that cannot be meant
  kConnect = 3,   // no server, no answer, broken TLS
  kDenied = 4,    // wrong password, or the ACL forbids it
  kNoModule = 5,  // the server answers, the module is not there
};

// What it says is one line without a final stop, and holds no secret and no raw byte of a server's.
struct Failure : std::runtime_error {
  Failure(Exit code, const std::string& what) : std::runtime_error(what), code(code) {}
  Exit code;
};

}  // namespace tenants::tool
