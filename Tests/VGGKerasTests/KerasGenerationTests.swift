import TestSupport
import Testing
import VGGModel
import VGGTensors

@testable import VGGKeras

/// The same weights in the form of each generation; `fixtures/make_keras_cases.py` writes the files.
@Suite struct KerasGenerationTests {
  struct Case: CustomTestStringConvertible, Sendable {
    var name: String
    var generation: String
    /// The choice and part of the evidence of the decisions that matter here.
    var decisions: [String: (choice: String, evidence: String)] = [:]
    var testDescription: String { name }
  }

  static let flipped = ("yes", "Theano's order")
  static let theano = ("yes", "without TensorFlow's :0")
  static let chw = ("chw", "channels come first")
  static let cases = [
    Case(
      name: "keras0.h5", generation: "keras-0-weights",
      decisions: [
        "kernel-layout": ("OIHW", "[2, 3, 3, 3] of param_0"), "kernel-flip": flipped, "flatten-order": chw,
      ]),
    Case(
      name: "keras0_graph.h5", generation: "keras-0-graph",
      decisions: ["kernel-flip": flipped, "flatten-order": chw]),
    Case(
      name: "keras1_th_theano.h5", generation: "keras-1-weights",
      decisions: ["kernel-layout": ("OIHW", "block1_conv1_W"), "kernel-flip": theano, "flatten-order": chw]),
    Case(
      name: "keras1_th_tensorflow.h5", generation: "keras-1-weights",
      decisions: ["kernel-flip": ("no", "block1_conv1_W:0"), "flatten-order": chw]),
    Case(
      name: "keras1_tf.h5", generation: "keras-1-weights",
      decisions: [
        "kernel-layout": ("HWIO", "block1_conv1_W_1:0"), "kernel-flip": ("no", "block1_conv1_W_1:0"),
        "flatten-order": ("hwc", "channels come last"),
      ]),
    Case(
      name: "keras1_full_th.h5", generation: "keras-1-model",
      decisions: ["kernel-flip": theano, "flatten-order": chw]),
    Case(
      name: "keras1_tf_theano.h5", generation: "keras-1-weights",
      decisions: ["kernel-layout": ("HWIO", "block1_conv1_W"), "kernel-flip": theano]),
    Case(
      name: "keras2_fixed_strings.h5", generation: "keras-2-weights",
      decisions: ["kernel-flip": ("no", "tensorflow"), "flatten-order": ("hwc", "assumed")]),
    Case(name: "keras2_variable_strings.h5", generation: "keras-2-weights"),
    Case(
      name: "keras2_scalar_strings.h5", generation: "keras-2-weights",
      decisions: ["kernel-flip": ("no", "tensorflow")]),
    Case(name: "keras2_chunked_names.h5", generation: "keras-2-weights"),
    Case(name: "keras2_float64.h5", generation: "keras-2-weights"),
    Case(name: "keras2_big_endian.h5", generation: "keras-2-weights"),
    Case(name: "keras2_compressed.h5", generation: "keras-2-weights"),
    Case(name: "keras2_latest_format.h5", generation: "keras-2-weights"),
    Case(name: "keras2_user_block.h5", generation: "keras-2-weights"),
    Case(
      name: "keras2_lambda_first.h5", generation: "keras-2-weights",
      decisions: ["lambda": ("passed over", "lambda_1 stands in front")]),
    Case(
      name: "keras2_theano_backend.h5", generation: "keras-2-weights",
      decisions: ["kernel-flip": ("yes", "theano"), "kernel-layout": ("HWIO", "block1_conv1/kernel")]),
    Case(name: "keras2_nested.h5", generation: "keras-2-weights"),
    Case(
      name: "keras2_nested_frozen.h5", generation: "keras-2-weights",
      decisions: ["layer-order": ("by name", "vgg16")]),
    Case(
      name: "keras2_full_optimizer.h5", generation: "keras-2-model",
      decisions: ["flatten-order": ("hwc", "configuration says channels_last")]),
    Case(name: "keras2_full_sequential.h5", generation: "keras-2-model"),
    Case(name: "keras2_full_sequential_list.h5", generation: "keras-2-model"),
    Case(name: "keras2_full_pool_same.h5", generation: "keras-2-model"),
    Case(name: "keras2_full_layers_apart.h5", generation: "keras-2-model"),
    Case(
      name: "keras2_full_channels_first.h5", generation: "keras-2-model",
      decisions: ["flatten-order": ("hwc", "Flatten knows it")]),
    Case(
      name: "keras2_full_channels_first_chw.h5", generation: "keras-2-model",
      decisions: ["flatten-order": ("chw", "Flatten does not reorder")]),
    Case(
      name: "keras3_unnamed.weights.h5", generation: "keras-3-weights",
      decisions: ["kernel-flip": ("no", "Keras 3"), "flatten-order": ("hwc", "Keras 3")]),
    Case(name: "keras3_checkpoint_dependencies.weights.h5", generation: "keras-3-weights"),
    Case(name: "keras3_nested.weights.h5", generation: "keras-3-weights"),
    Case(name: "keras3_deflated.keras", generation: "keras-3-archive"),
  ]

  @Test(arguments: cases)
  func holdsTheSameWeights(_ testCase: Case) throws {
    let model = try importedModel("keras_cases/\(testCase.name)")
    #expect(model.provenance.generation == testCase.generation)
    #expect(model.network.inputExtent == Extent(side: 64))
    let control = try importedModel("bad/control_ok.h5")
    #expect(try model.values() == control.values())
    for (subject, wanted) in testCase.decisions {
      let found = model.decisions[subject]
      #expect(found?.choice == wanted.choice, "\(subject)")
      #expect(found?.evidence.contains(wanted.evidence) == true, "\(subject): \(found?.evidence ?? "")")
    }
  }

  @Test func narrowNumbersAreWidenedExactly() throws {
    let control = try importedModel("bad/control_ok.h5").values()
    let halves = control.mapValues { $0.map { Float(Float16($0)) } }
    #expect(try importedModel("keras_cases/keras2_float16.h5").values() == halves)
    let brain = control.mapValues { values in
      values.map { value in
        let bits = UInt64(value.bitPattern)
        return Float(bitPattern: UInt32((bits + 0x7FFF + (bits >> 16) & 1) & 0xFFFF_0000))
      }
    }
    #expect(try importedModel("keras_cases/keras2_bfloat16.h5").values() == brain)
  }

  @Test func aFileWithoutAnyBiasIsAccepted() throws {
    let control = try importedModel("bad/control_ok.h5").values().filter { $0.key.hasSuffix("weight") }
    #expect(try importedModel("keras_cases/keras2_no_bias.h5").values() == control)
  }

  @Test func decodedNumbersHaveNoPlaceInTheFile() throws {
    let model = try importedModel("keras_cases/keras2_compressed.h5")
    #expect(model.tensor("fc6/weight")?.source?.fileOffset == nil)
    #expect(model.tensor("fc7/weight")?.source?.fileOffset != nil)
    let deflated = try importedModel("keras_cases/keras3_deflated.keras")
    #expect(deflated.tensors.allSatisfy { $0.source?.fileOffset == nil })
  }

  @Test func poolingThatPadsRoundsUp() throws {
    func roundings(_ name: String) throws -> Set<Pooling.Rounding> {
      Set(
        try importedModel("keras_cases/\(name)").network.layers.compactMap {
          if case .pooling(let pooling) = $0.operation { pooling.rounding } else { nil }
        })
    }
    #expect(try roundings("keras2_full_pool_same.h5") == [.ceiling])
    #expect(try roundings("keras2_full_sequential.h5") == [.floor])
  }

  @Test func hiddenLayersKeepTheActivationOfTheConfiguration() throws {
    func activations(_ name: String) throws -> [Activation] {
      try importedModel(name).network.layers.compactMap {
        if case .dense(let dense) = $0.operation { dense.activation } else { nil }
      }
    }
    #expect(try activations("bad/control_ok.h5") == [.relu, .relu, .none])
    #expect(try activations("keras_cases/keras2_full_layers_apart.h5") == [.relu, .relu, .none])
    // The configuration in this archive has no activation in the dense layers.
    #expect(try activations("bad/control_ok.keras") == [.none, .none, .none])
    #expect(
      try importedModel("bad/control_ok.keras").decisions["activation"]?.choice == "none behind fc1, fc2")
  }

  @Test func optimizerStateIsListedTensorByTensor() throws {
    let dropped = try importedModel("keras_cases/keras2_full_optimizer.h5").provenance.dropped
    #expect(
      dropped.map(\.name) == [
        "optimizer_weights/training/Adam/fc2/kernel/m:0", "optimizer_weights/training/iterations:0",
      ])
  }
}
