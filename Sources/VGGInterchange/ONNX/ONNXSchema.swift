/// The numbers of fields in `onnx.proto` that models of this package need, by message.
///
/// Facts of onnx/onnx, `onnx/onnx.proto`; they never change. Writer and reader share them.
package enum ONNXField {
  /// Who our own files say wrote them.
  package static let ownProducer = "vggconv"

  /// ModelProto.
  package enum Model {
    package static let irVersion = 1
    package static let producer = 2
    package static let graph = 7
    package static let operatorSet = 8
    package static let metadata = 14
  }

  /// OperatorSetIdProto.
  package enum OperatorSet {
    package static let domain = 1
    package static let version = 2
  }

  /// StringStringEntryProto.
  package enum Entry {
    package static let key = 1
    package static let value = 2
  }

  /// GraphProto.
  package enum Graph {
    package static let node = 1
    package static let name = 2
    package static let initializer = 5
    package static let input = 11
    package static let output = 12
    package static let sparseInitializer = 15
  }

  /// NodeProto.
  package enum Node {
    package static let input = 1
    package static let output = 2
    package static let name = 3
    package static let type = 4
    package static let attribute = 5
    package static let domain = 7
  }

  /// AttributeProto.
  package enum Attribute {
    package static let name = 1
    package static let float = 2
    package static let integer = 3
    package static let string = 4
    package static let tensor = 5
    package static let floats = 7
    package static let integers = 8
    package static let type = 20
  }

  /// ValueInfoProto.
  package enum Value {
    package static let name = 1
    package static let type = 2
  }

  /// TypeProto, TypeProto.Tensor, TensorShapeProto and its dimensions.
  package enum TensorType {
    package static let tensor = 1
    package static let element = 1
    package static let shape = 2
    package static let dimension = 1
    package static let length = 1
    package static let symbol = 2
  }

  /// TensorProto.
  package enum Tensor {
    package static let dimension = 1
    package static let type = 2
    package static let segment = 3
    package static let floats = 4
    package static let integers = 5
    package static let longs = 7
    package static let name = 8
    package static let raw = 9
    package static let doubles = 10
    package static let external = 13
    package static let location = 14
  }
}

/// The kinds of attributes that are written, as AttributeProto has them.
package enum ONNXAttributeType: Int, Sendable {
  case float = 1
  case integer = 2
  case integers = 7
}

/// The types of elements that weights and activations of a VGG have in ONNX files, as TensorProto has them.
package enum ONNXElement: Int, Sendable {
  case float32 = 1
  case uint8 = 2
  case int8 = 3
  case int32 = 6
  case int64 = 7
  case float16 = 10
  case float64 = 11
  case bfloat16 = 16
  case uint4 = 21
  case int4 = 22

  /// The number of bits of an element.
  package var bitCount: Int {
    switch self {
    case .uint4, .int4: 4
    case .uint8, .int8: 8
    case .float16, .bfloat16: 16
    case .float32, .int32: 32
    case .int64, .float64: 64
    }
  }
}
