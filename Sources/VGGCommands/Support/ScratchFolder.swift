internal import Glibc
internal import VGGBytes

/// The folder for temporary files: `TMPDIR` of the environment, as for other programs.
var scratchFolder: String {
  guard let folder = getenv("TMPDIR").map({ String(cString: $0) }), !folder.isEmpty else {
    return ScratchFile.standardFolder
  }
  return folder
}
