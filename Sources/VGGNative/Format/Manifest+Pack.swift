internal import CVGGManifest
internal import VGGModel
internal import VGGTensors

extension Manifest {
  /// The bytes of the manifest; equal manifests give equal bytes.
  var packed: [UInt8] {
    let arena = MessageArena()
    let message = arena.make(vggw__manifest__init) { message in
      message.tool = arena.string(tool)
      message.network = arena.message(of: network)
      (message.n_tensors, message.tensors) = arena.list(tensors, arena.message)
      message.preprocessing = preprocessing.map(arena.message)
      (message.n_labels, message.labels) = arena.list(labels, arena.string)
      message.provenance = arena.message(of: provenance)
      message.weights_digest = arena.bytes(weightsDigest.bytes)
      message.integer_arithmetic = integerArithmetic.map(arena.message)
    }
    return [UInt8](unsafeUninitializedCapacity: vggw__manifest__get_packed_size(message)) { buffer, count in
      guard let start = buffer.baseAddress else { return }
      count = vggw__manifest__pack(message, start)
    }
  }
}

/// The C structures of a manifest, alive until it is packed.
private final class MessageArena {
  private var allocations: [UnsafeMutableRawPointer] = []

  deinit { allocations.forEach { $0.deallocate() } }

  private func allocate<Value>(_ type: Value.Type, count: Int = 1) -> UnsafeMutablePointer<Value> {
    let pointer = UnsafeMutablePointer<Value>.allocate(capacity: count)
    allocations.append(UnsafeMutableRawPointer(pointer))
    return pointer
  }

  /// A message with its defaults, then changed.
  func make<Message>(
    _ initialize: (UnsafeMutablePointer<Message>?) -> Void, _ fill: (inout Message) -> Void
  ) -> UnsafeMutablePointer<Message> {
    let message = allocate(Message.self)
    initialize(message)
    fill(&message.pointee)
    return message
  }

  func array<Value>(_ values: [Value]) -> (Int, UnsafeMutablePointer<Value>?) {
    let pointer = allocate(Value.self, count: values.count)
    pointer.initialize(from: values, count: values.count)
    return (values.count, pointer)
  }

  func list<Value, Item>(
    _ values: [Value], _ make: (Value) -> UnsafeMutablePointer<Item>
  ) -> (Int, UnsafeMutablePointer<UnsafeMutablePointer<Item>?>?) {
    array(values.map(make))
  }

  func string(_ text: String) -> UnsafeMutablePointer<CChar> {
    let characters = text.utf8CString
    let pointer = allocate(CChar.self, count: characters.count)
    characters.withUnsafeBufferPointer { buffer in
      if let start = buffer.baseAddress { pointer.initialize(from: start, count: buffer.count) }
    }
    return pointer
  }

  func bytes(_ bytes: [UInt8]) -> ProtobufCBinaryData {
    let (count, data) = array(bytes)
    return ProtobufCBinaryData(len: count, data: data)
  }
}

extension MessageArena {
  func message(of network: Network) -> UnsafeMutablePointer<Vggw__Network> {
    make(vggw__network__init) { message in
      message.architecture = Manifest.architectures[network.architecture]
      message.input_channels = UInt32(clamping: network.inputChannels)
      message.input_height = UInt32(clamping: network.inputExtent?.height ?? 0)
      message.input_width = UInt32(clamping: network.inputExtent?.width ?? 0)
      (message.n_layers, message.layers) = list(network.layers, self.message)
    }
  }

  private func message(of layer: Layer) -> UnsafeMutablePointer<Vggw__Layer> {
    make(vggw__layer__init) { message in
      message.name = string(layer.name)
      switch layer.operation {
      case .convolution(let convolution):
        message.operation_case = VGGW__LAYER__OPERATION_CONVOLUTION
        message.convolution = self.message(of: convolution)
      case .pooling(let pooling):
        message.operation_case = VGGW__LAYER__OPERATION_POOLING
        message.pooling = self.message(of: pooling)
      case .normalization(let normalization):
        message.operation_case = VGGW__LAYER__OPERATION_NORMALIZATION
        message.normalization = self.message(of: normalization)
      case .dense(let dense):
        message.operation_case = VGGW__LAYER__OPERATION_DENSE
        message.dense = self.message(of: dense)
      case .softmax:
        message.operation_case = VGGW__LAYER__OPERATION_SOFTMAX
        message.softmax = make(vggw__softmax__init) { _ in }
      case .sigmoid:
        message.operation_case = VGGW__LAYER__OPERATION_SIGMOID
        message.sigmoid = make(vggw__sigmoid__init) { _ in }
      }
    }
  }

  private func message(of convolution: Convolution) -> UnsafeMutablePointer<Vggw__Convolution> {
    make(vggw__convolution__init) { message in
      message.kernel_height = UInt32(clamping: convolution.kernel.height)
      message.kernel_width = UInt32(clamping: convolution.kernel.width)
      message.input_channels = UInt32(clamping: convolution.inputChannels)
      message.output_channels = UInt32(clamping: convolution.outputChannels)
      message.stride_height = UInt32(clamping: convolution.stride.height)
      message.stride_width = UInt32(clamping: convolution.stride.width)
      message.padding_height = UInt32(clamping: convolution.padding.height)
      message.padding_width = UInt32(clamping: convolution.padding.width)
      message.dilation_height = UInt32(clamping: convolution.dilation.height)
      message.dilation_width = UInt32(clamping: convolution.dilation.width)
      message.has_bias = convolution.hasBias ? 1 : 0
      message.activation = Manifest.activations[convolution.activation]
    }
  }

  private func message(of pooling: Pooling) -> UnsafeMutablePointer<Vggw__Pooling> {
    make(vggw__pooling__init) { message in
      message.method = Manifest.poolingMethods[pooling.method]
      message.kernel_height = UInt32(clamping: pooling.kernel.height)
      message.kernel_width = UInt32(clamping: pooling.kernel.width)
      message.stride_height = UInt32(clamping: pooling.stride.height)
      message.stride_width = UInt32(clamping: pooling.stride.width)
      message.padding_height = UInt32(clamping: pooling.padding.height)
      message.padding_width = UInt32(clamping: pooling.padding.width)
      message.rounding = Manifest.roundings[pooling.rounding]
      message.global = pooling.isGlobal ? 1 : 0
    }
  }

  private func message(
    of normalization: LocalResponseNormalization
  ) -> UnsafeMutablePointer<Vggw__Normalization> {
    make(vggw__normalization__init) { message in
      message.size = UInt32(clamping: normalization.size)
      message.scale = normalization.scale
      message.beta = normalization.beta
      message.k = normalization.k
      message.region = Manifest.regions[normalization.region]
    }
  }

  private func message(of dense: Dense) -> UnsafeMutablePointer<Vggw__Dense> {
    make(vggw__dense__init) { message in
      message.inputs = UInt64(clamping: dense.inputs)
      message.outputs = UInt64(clamping: dense.outputs)
      message.has_bias = dense.hasBias ? 1 : 0
      message.activation = Manifest.activations[dense.activation]
    }
  }

  func message(of record: TensorRecord) -> UnsafeMutablePointer<Vggw__Tensor> {
    make(vggw__tensor__init) { message in
      message.name = string(record.name)
      message.role = Manifest.roles[record.role]
      message.element_type = Manifest.elementTypes[record.elementType]
      (message.n_shape, message.shape) = array(record.shape.map { UInt64(clamping: $0) })
      message.layout = Manifest.layouts[record.layout]
      message.encoding = Manifest.storages[record.storage]
      message.offset = UInt64(clamping: record.offset)
      message.stored_length = UInt64(clamping: record.storedBytes)
      message.decoded_length = UInt64(clamping: record.count * MemoryLayout<Float>.size)
      fill(&message, with: record.parameters)
      message.stored_digest = bytes(record.storedDigest.bytes)
      if record.blockDigests.count > 1 {
        message.block_digests = bytes(record.blockDigests.flatMap(\.bytes))
      }
      message.values_digest = bytes(record.valuesDigest.bytes)
    }
  }

  private func fill(_ message: inout Vggw__Tensor, with parameters: CodeParameters?) {
    guard let parameters else { return }
    (message.n_scales, message.scales) = array(parameters.scales)
    (message.n_zero_points, message.zero_points) = array(parameters.zeroPoints.map(Int32.init))
    switch parameters.grouping {
    case .outputChannel: break
    case .tensor: message.grouping = VGGW__GROUPING__GROUPING_TENSOR
    case .inputGroups(let length):
      message.grouping = VGGW__GROUPING__GROUPING_INPUT_GROUPS
      message.group_length = UInt64(clamping: length)
      message.has_group_zero_points = parameters.zeroPointCount > 0 ? 1 : 0
    }
  }

  func message(of arithmetic: IntegerArithmetic) -> UnsafeMutablePointer<Vggw__IntegerArithmetic> {
    make(vggw__integer_arithmetic__init) { message in
      message.requantization = Manifest.requantizations[arithmetic.rounding]
      message.input = self.message(of: arithmetic.input)
      (message.n_outputs, message.outputs) = list(arithmetic.outputs, self.message)
    }
  }

  private func message(
    of codes: ActivationQuantization
  ) -> UnsafeMutablePointer<Vggw__ActivationCodes> {
    make(vggw__activation_codes__init) { message in
      message.scale = codes.scale
      message.zero_point = Int32(codes.zeroPoint)
    }
  }

  func message(of preprocessing: Preprocessing) -> UnsafeMutablePointer<Vggw__Preprocessing> {
    make(vggw__preprocessing__init) { message in
      message.channel_order = Manifest.channelOrders[preprocessing.channelOrder]
      (message.n_mean, message.mean) = array(preprocessing.mean)
      (message.n_scale, message.scale) = array(preprocessing.scale)
      if case .shorterSide(let side) = preprocessing.resize { message.shorter_side = UInt32(clamping: side) }
    }
  }

  private func message(of pass: Pass) -> UnsafeMutablePointer<Vggw__Pass> {
    make(vggw__pass__init) { message in
      switch pass {
      case .quantize(let settings):
        message.kind_case = VGGW__PASS__KIND_QUANTIZE
        message.quantize = make(vggw__quantize__init) { quantize in
          settings.fill(&quantize)
          (quantize.n_kept_layers, quantize.kept_layers) = list(settings.keptLayers, string)
          if settings.precision == .int4, case .compensated(let data?) = settings.codeRounding {
            quantize.compensation = make(vggw__compensation__init) { message in
              message.picture_count = UInt64(data.pictureCount)
              message.pictures_digest = bytes(data.sha256)
            }
          }
        }
      case .quantizeActivations(let settings):
        message.kind_case = VGGW__PASS__KIND_QUANTIZE_ACTIVATIONS
        message.quantize_activations = make(vggw__quantize_activations__init) { settings.fill(&$0) }
      case .prune(let fraction):
        message.kind_case = VGGW__PASS__KIND_PRUNE
        message.prune = make(vggw__prune__init) { $0.fraction = fraction }
      case .dropDense:
        message.kind_case = VGGW__PASS__KIND_DROP_DENSE
        message.drop_dense = make(vggw__drop_dense__init) { _ in }
      case .equalize(let equalization):
        message.kind_case = VGGW__PASS__KIND_EQUALIZE
        message.equalize = self.message(of: equalization ?? ChannelEqualization([]))
      case .correctBiases(let means):
        message.kind_case = VGGW__PASS__KIND_CORRECT_BIASES
        message.correct_biases = self.message(of: means ?? InputMeans([], roundingPassCount: 1))
      case .unknown(let text):
        message.kind_case = VGGW__PASS__KIND_TEXT
        message.text = string(text)
      }
    }
  }

  private func message(of equalization: ChannelEqualization) -> UnsafeMutablePointer<Vggw__Equalize> {
    make(vggw__equalize__init) { message in
      (message.n_layers, message.layers) = list(equalization.layers) { layer in
        make(vggw__equalized_layer__init) { message in
          message.name = string(layer.name)
          (message.n_exponents, message.exponents) = array(layer.exponents.map { Int32(clamping: $0) })
        }
      }
    }
  }

  private func message(of means: InputMeans) -> UnsafeMutablePointer<Vggw__CorrectBiases> {
    make(vggw__correct_biases__init) { message in
      message.rounding_passes = UInt32(clamping: means.roundingPassCount)
      (message.n_layers, message.layers) = list(means.layers) { layer in
        make(vggw__corrected_layer__init) { message in
          message.name = string(layer.name)
          (message.n_input_means, message.input_means) = array(layer.means)
        }
      }
    }
  }

  func message(of provenance: Provenance) -> UnsafeMutablePointer<Vggw__Provenance> {
    make(vggw__provenance__init) { message in
      message.source_name = string(provenance.sourceName)
      message.source_length = UInt64(clamping: provenance.sourceByteCount)
      message.source_digest = bytes(provenance.sourceSHA256)
      message.format = string(provenance.format)
      message.generation = string(provenance.generation)
      (message.n_decisions, message.decisions) = list(provenance.decisions) { decision in
        make(vggw__decision__init) { message in
          message.subject = string(decision.subject)
          message.choice = string(decision.choice)
          message.evidence = string(decision.evidence)
        }
      }
      (message.n_dropped, message.dropped) = list(provenance.dropped) { dropped in
        make(vggw__dropped_tensor__init) { message in
          message.name = string(dropped.name)
          message.reason = string(dropped.reason)
        }
      }
      (message.n_passes, message.passes) = list(provenance.passes, self.message)
      (message.n_companions, message.companions) = list(provenance.companions) { file in
        make(vggw__source_file__init) { message in
          message.name = string(file.name)
          message.length = UInt64(clamping: file.byteCount)
          message.digest = bytes(file.sha256)
        }
      }
      (message.n_folded, message.folded) = list(provenance.folded) { tensor in
        make(vggw__folded_tensor__init) { message in
          message.name = string(tensor.name)
          message.layer = string(tensor.layer)
          message.values_digest = bytes(tensor.valuesDigest)
        }
      }
    }
  }
}
