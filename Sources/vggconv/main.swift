// Hands the arguments to the commands and exits with what they say.

import Glibc
import VGGCommands

exit(run(Array(CommandLine.arguments.dropFirst())))
