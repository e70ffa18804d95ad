import Foundation
import TestSupport
import VGGBytes
import VGGModel
import VGGNative

/// Opens a native file that is in memory.
func open(_ bytes: [UInt8]) throws(FileError) -> NativeFile {
  try VGGWFile.open(ByteRegion(copying: bytes), path: "x.vggw")
}

/// What a model is written as.
func bytes(of model: Model) throws -> [UInt8] {
  try withTemporaryFolder { folder in
    try VGGWFile.write(model, to: "\(folder)/a.vggw")
    return Array(FileManager.default.contents(atPath: "\(folder)/a.vggw") ?? Data())
  }
}
