internal import CCaffe
internal import VGGProtobuf

/// A message type of `schemas/caffe.proto`, as protobuf-c describes it at run time.
struct MessageSchema {
  fileprivate(set) var descriptor: UnsafePointer<ProtobufCMessageDescriptor>

  /// A whole file.
  static var net: MessageSchema { MessageSchema(descriptor: ccaffe_net_descriptor()) }

  /// The name, such as `ConvolutionParameter`.
  var name: String { String(cString: descriptor.pointee.short_name) }

  /// Whether messages of this type are left where they are when what holds them is copied: layers and blobs.
  var isSetAside: Bool { ["LayerParameter", "V1LayerParameter", "BlobProto"].contains(name) }

  /// The field of a number.
  func field(_ number: Int) -> FieldSchema? {
    UInt32(exactly: number).flatMap { protobuf_c_message_descriptor_get_field(descriptor, $0) }
      .map(FieldSchema.init)
  }

  /// The field of a name.
  func field(named name: String) -> FieldSchema? {
    protobuf_c_message_descriptor_get_field_by_name(descriptor, name).map(FieldSchema.init)
  }
}

/// A field of a message type.
struct FieldSchema {
  /// How a value is written.
  enum Kind {
    case bool
    case int32
    case int64
    case uint32
    case float
    case string
    case enumeration(UnsafePointer<ProtobufCEnumDescriptor>)
    case message(MessageSchema)
  }

  let number: Int
  let name: String
  let isRepeated: Bool
  let kind: Kind

  fileprivate init(_ field: UnsafePointer<ProtobufCFieldDescriptor>) {
    number = Int(field.pointee.id)
    name = String(cString: field.pointee.name)
    isRepeated = field.pointee.label == PROTOBUF_C_LABEL_REPEATED
    switch field.pointee.type {
    case PROTOBUF_C_TYPE_BOOL: kind = .bool
    case PROTOBUF_C_TYPE_INT32: kind = .int32
    case PROTOBUF_C_TYPE_INT64: kind = .int64
    case PROTOBUF_C_TYPE_UINT32: kind = .uint32
    case PROTOBUF_C_TYPE_FLOAT: kind = .float
    case PROTOBUF_C_TYPE_STRING: kind = .string
    case PROTOBUF_C_TYPE_ENUM:
      kind = .enumeration(
        field.pointee.descriptor.assumingMemoryBound(to: ProtobufCEnumDescriptor.self))
    case PROTOBUF_C_TYPE_MESSAGE:
      kind = .message(
        MessageSchema(
          descriptor: field.pointee.descriptor.assumingMemoryBound(to: ProtobufCMessageDescriptor.self)))
    default: preconditionFailure("schemas/caffe.proto has a field of a type that is not provided for here")
    }
  }

  /// Whether a value on the wire is one of this field; protobuf takes others for unknown fields.
  func accepts(_ value: WireField.Value) -> Bool {
    switch (kind, value) {
    case (.bool, .varint), (.int32, .varint), (.int64, .varint), (.uint32, .varint), (.enumeration, .varint),
      (.float, .fixed32), (.string, .bytes), (.message, .bytes):
      true
    case (_, .bytes): isRepeated  // packed
    default: false
    }
  }
}
