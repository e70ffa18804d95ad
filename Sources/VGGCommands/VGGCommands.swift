// VGGCommands
