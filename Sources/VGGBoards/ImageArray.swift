internal import VGGBytes
internal import VGGTensors

/// The image of the weights as an array in C, made as it is read: the text is five times as long.
struct ImageArray: TensorCodes {
  private static let bytesInLine = 16
  /// Of a byte: `0x1f,`.
  private static let byteLength = 5
  private static let lineLength = bytesInLine * byteLength + 1

  private let image: ByteRegion

  /// The source file.
  static func content(of image: ByteRegion) -> FileContent {
    var content = FileContent()
    content.append(
      Array(
        """
        /* The weight image, as it is in model_weights.bin. */
        #include "model.h"

        _Alignas(VGGRT_ALIGNMENT) const uint8_t vggrt_model_weights[VGGRT_MODEL_WEIGHTS_SIZE] = {

        """.utf8))
    content.append(.codes(ImageArray(image: image)))
    content.append(Array("};\n".utf8))
    return content
  }

  /// The characters.
  var count: Int {
    let lines = (image.count + ImageArray.bytesInLine - 1) / ImageArray.bytesInLine
    return image.count * ImageArray.byteLength + lines
  }

  func read(_ range: Range<Int>, into destination: UnsafeMutableBufferPointer<Int8>) throws(FileError) {
    let digits = Array("0123456789abcdef".utf8)
    image.withBytes { bytes in
      for (place, character) in range.enumerated() {
        let (line, column) = character.quotientAndRemainder(dividingBy: ImageArray.lineLength)
        let index = line * ImageArray.bytesInLine + column / ImageArray.byteLength
        // The end of a line, the last one of which may be shorter.
        guard column < ImageArray.lineLength - 1, index < bytes.count else {
          destination[place] = Int8(UInt8(ascii: "\n"))
          continue
        }
        let byte = bytes[index]
        let text = [
          UInt8(ascii: "0"), UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)],
          UInt8(ascii: ","),
        ]
        destination[place] = Int8(text[column % ImageArray.byteLength])
      }
    }
  }
}
