// Hands the arguments to VGGCommands.
