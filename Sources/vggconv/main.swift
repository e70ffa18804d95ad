// Sets up the process, hands the arguments to the commands and exits with what they say.

import CMemoryFaults
import Glibc
import VGGCommands

let arguments = Array(CommandLine.arguments.dropFirst())
cmf_share_one_heap()
cmf_report_faults("vggconv", arguments.prefix { $0 != "--" }.contains("--json"))

// At once: after an error another thread may still be hashing, and libcrypto's exit handler would take its tables away.
// Nothing is lost, for all output is written unbuffered.
_exit(run(arguments))
