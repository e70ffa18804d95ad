internal import Glibc
internal import VGGBytes
internal import VGGSources

/// The folder for temporary files: `TMPDIR` of the environment, as for other programs.
var scratchFolder: String {
  guard let folder = getenv("TMPDIR").map({ String(cString: $0) }), !folder.isEmpty else {
    return ScratchFile.standardFolder
  }
  return folder
}

extension ImportOptions {
  /// Leaves every decision to the evidence.
  static var byEvidence: ImportOptions {
    var options = ImportOptions()
    options.scratchFolder = VGGCommands.scratchFolder
    return options
  }
}
