/* A second file of the module of sdk_test.go, which includes the header too. */
#include "entangle.h"

ENTANGLE_TASK(second, "() -> string", "Lives in another file.") { entangle_put_string(out, "here"); }
