// The manifest of a native model file as C structures: protobuf-c code generated from schemas/vggw.proto.
//
// Nothing here is written by hand but this header. To change the manifest, change the schema, run
// schemas/generate.sh, and commit what it wrote; a test compares the two.
#include "vggw.pb-c.h"
