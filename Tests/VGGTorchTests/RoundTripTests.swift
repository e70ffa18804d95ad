import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGInterchange
import VGGModel
import VGGTensors

/// What is exported as safetensors comes back as the same model, under every name.
@Suite struct RoundTripTests {
  /// A network with everything that formats tend to lose.
  private func model(_ architecture: Architecture, denseWidths: [Int] = [5, 4, 3], ceiling: Bool = false)
    throws -> Model
  {
    let plain = try Network(
      architecture, inputExtent: Extent(side: ceiling ? 65 : 64), widths: [1, 2, 2, 3, 3], denseWidths: [])
    var layers = plain.layers.map { layer in
      guard ceiling, case .pooling = layer.operation else { return layer }
      return Layer(name: layer.name, operation: .pooling(Pooling(rounding: .ceiling)))
    }
    let features = Network(
      architecture: architecture, inputChannels: 3, inputExtent: plain.inputExtent, layers: layers)
    var inputs = try #require(try features.outputShapes(for: Extent(side: ceiling ? 65 : 64)).last).count
    let dense = denseWidths.map { width in
      defer { inputs = width }
      return Dense(inputs: inputs, outputs: width, activation: .relu)
    }
    layers += Head(dense, activation: .sigmoid)?.layers ?? []
    let network = Network(
      architecture: architecture, inputChannels: 3, inputExtent: plain.inputExtent, layers: layers)
    var random = SeededGenerator(seed: 11)
    let tensors = network.tensorRequirements.enumerated().map { index, requirement in
      let values = MemoryValues(
        (0..<requirement.shape.reduce(1, *)).map { _ in
          Float(Int8.random(in: -127...127, using: &random)) / 64
        })
      return Tensor(
        name: requirement.name, role: requirement.role, shape: requirement.shape,
        content: .real(values, as: [.float32, .float16, .bfloat16][index % 3]))
    }
    let labels = (0..<(network.classCount ?? 0)).map { "class \"\($0)\", ä" }
    return try Model(
      network: network, tensors: tensors,
      preprocessing: Preprocessing(
        channelOrder: .rgb, mean: [0.1, 1 / 3, 123.68], scale: [1, 0.017, 1 / 255], resize: .shorterSide(70)),
      labels: labels,
      provenance: Provenance(sourceName: "x", sourceByteCount: 1, format: "test", generation: "test"))
  }

  private func export(_ model: Model, _ path: String, _ naming: TensorNaming) throws -> ExportResult {
    var options = ExportOptions()
    options.naming = naming
    return try model.export(to: .safetensors, at: path, options: options)
  }

  @Test(arguments: TensorNaming.allCases, [Architecture.a, .c, .d, .e])
  func sameModel(_ naming: TensorNaming, _ architecture: Architecture) throws {
    try withTemporaryFolder { folder in
      for (index, model) in try [
        model(architecture), model(architecture, ceiling: true), model(architecture, denseWidths: []),
      ].enumerated() {
        let path = "\(folder)/\(index)"
        let result = try export(model, path, naming)
        #expect(result.losses.contains(.decisions))
        // Only deviations from the program's own networks are said: Caffe's poolings round up, those of others down.
        let deviates = naming != .canonical && (index == 1) != (naming == .caffe)
        #expect(result.losses.count == (deviates ? 2 : 1))
        let copy = try OpenedModel(path).model
        #expect(copy.network == model.network)
        #expect(copy.preprocessing == model.preprocessing && copy.labels == model.labels)
        for (tensor, original) in zip(copy.tensors, model.tensors) {
          #expect(tensor.name == original.name)
          #expect(try tensor.values.array() == original.values.array(), "\(naming) \(tensor.name)")
        }
        #expect(copy.provenance.generation == "safetensors-vggconv")
      }
    }
  }

  @Test func normalisationIsCaffesAlone() throws {
    let model = try model(.aLRN)
    try withTemporaryFolder { folder in
      for naming in TensorNaming.allCases {
        if naming == .torchvision || naming == .timm {
          let error = try #require(throws: FileError.self) { try export(model, "\(folder)/x", naming) }
          #expect(error.code == "export.names" && error.description.contains("norm1"), "\(error)")
        } else {
          _ = try export(model, "\(folder)/\(naming)", naming)
          #expect(try OpenedModel("\(folder)/\(naming)").model.network == model.network)
        }
      }
      #expect(try files(in: folder) == ["canonical", "caffe", "keras"].sorted())
    }
  }

  @Test func namesAndShapesAreThoseOfTheProgram() throws {
    let model = try model(.a)
    try withTemporaryFolder { folder in
      func shapes(_ naming: TensorNaming) throws -> [String: [Int]] {
        _ = try export(model, "\(folder)/\(naming)", naming)
        let file = try SafetensorsFile(MappedFile(path: "\(folder)/\(naming)").bytes, file: "x")
        return Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.shape) })
      }
      let torch = try shapes(.torchvision)
      #expect(
        Set(torch.keys)
          == Set(
            ([0, 3, 6, 8, 11, 13, 16, 18].map { "features.\($0)" } + [0, 3, 6].map { "classifier.\($0)" })
              .flatMap { ["\($0).weight", "\($0).bias"] }))
      #expect(torch["features.3.weight"] == [2, 1, 3, 3] && torch["classifier.0.weight"] == [5, 12])
      let timm = try shapes(.timm)
      #expect(
        timm["pre_logits.fc1.weight"] == [5, 3, 2, 2] && timm["pre_logits.fc2.weight"] == [4, 5, 1, 1])
      #expect(timm["head.fc.weight"] == [3, 4] && timm.count == 22)
      let keras = try shapes(.keras)
      #expect(keras["block3_conv2/kernel"] == [3, 3, 2, 2] && keras["predictions/kernel"] == [4, 3])
      let caffe = try shapes(.caffe)
      #expect(caffe["conv5_2/0"] == [3, 3, 3, 3] && caffe["fc6/0"] == [5, 12] && caffe["fc8/1"] == [3])
    }
  }

  @Test func theFirstDenseLayerReadsChannelByChannel() throws {
    let model = try model(.a)
    try withTemporaryFolder { folder in
      _ = try export(model, "\(folder)/x", .torchvision)
      let file = try SafetensorsFile(MappedFile(path: "\(folder)/x").bytes, file: "x")
      let tensor = try #require(file.tensors.first { $0.name == "classifier.0.weight" })
      let own = try #require(model.tensor("fc6/weight")).values.array()
      // [output][channel][row][column] of a map of 2x2 with 3 channels, against [row][column][channel][output].
      for output in 0..<5 {
        for (channel, row, column) in [(0, 0, 1), (1, 1, 0), (2, 1, 1)] {
          let index = output * 12 + channel * 4 + row * 2 + column
          let number: Float =
            tensor.type == .float32
            ? Float(bitPattern: try #require(tensor.bytes.integer(at: 4 * index, as: UInt32.self)))
            : Float(Float16(bitPattern: try #require(tensor.bytes.integer(at: 2 * index, as: UInt16.self))))
          if tensor.type != .bfloat16 {
            #expect(number == own[((row * 2 + column) * 3 + channel) * 5 + output])
          }
        }
      }
    }
  }

  @Test func codesComeBackAsCodesAndBecomeValuesUnderForeignNames() throws {
    let source = try OpenedModel(fixture("keras/vgg_d_digits_full.h5"))
    try withTemporaryFolder { folder in
      for arguments in [
        ["--to", "int8"], ["--to", "int4"],
        ["--to", "int8", "--activations", "int8", "--calibrate", fixture("digits_test.npz")],
      ] {
        let path = "\(folder)/q.vggw"
        #expect(
          try CommandProcess.run(["import", source.path, "-o", "\(folder)/f.vggw", "--force"]).status == 0)
        let made = try CommandProcess.run(
          ["quantize", "\(folder)/f.vggw", "-o", path, "--force"] + arguments)
        guard made.status == 0 else {
          Issue.record("\(made.errors)")
          continue
        }
        let opened = try OpenedModel(path)
        _ = try export(opened.model, "\(folder)/codes", .canonical)
        let copy = try OpenedModel("\(folder)/codes").model
        #expect(
          copy.network == opened.model.network && copy.integerArithmetic == opened.model.integerArithmetic)
        for (tensor, own) in zip(copy.tensors, opened.model.tensors) {
          #expect(tensor.quantization == own.quantization, "\(own.name)")
          switch (tensor.content, own.content) {
          case (.codes(let left, _), .codes(let right, _)): #expect(try left.array() == right.array())
          case (.bias(let left), .bias(let right)): #expect(left == right)
          case (.real(let left, _), .real(let right, _)): #expect(try left.array() == right.array())
          default: Issue.record("\(own.name) changed its kind")
          }
        }
        let result = try export(opened.model, "\(folder)/values", .torchvision)
        #expect(result.losses.contains(.dequantized))
        let values = try OpenedModel("\(folder)/values").model
        #expect(values.integerArithmetic == nil)
        for (tensor, own) in zip(values.tensors, opened.model.tensors) {
          #expect(try tensor.values.array() == own.values.array(), "\(own.name)")
        }
        for file in ["codes", "values"] {
          #expect(try CommandProcess.run(["inspect", "\(folder)/\(file)"]).status == 0)
          _ = try? CommandProcess.run("/bin/rm", ["\(folder)/\(file)"])
        }
      }
    }
  }
}
