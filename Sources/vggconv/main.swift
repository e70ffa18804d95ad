// Hands the arguments to the commands and exits with what they say.

import Glibc
import VGGCommands

// At once: after an error another thread may still be hashing, and libcrypto's exit handler would take its tables away.
// Nothing is lost, for all output is written unbuffered.
_exit(run(Array(CommandLine.arguments.dropFirst())))
