import TestSupport
import Testing
import VGGBytes
import VGGModel
import VGGSources

@testable import VGGKeras

/// What is refused, and that the message says what and where.
@Suite struct KerasRefusalTests {
  struct Refusal: CustomTestStringConvertible, Sendable {
    var name: String
    var kind: FileError.Kind
    var code: String
    var place: String?
    var seen: String?
    var allowed: String?
    var testDescription: String { name }

    init(
      _ name: String, _ kind: FileError.Kind, _ code: String, at place: String? = nil, seen: String? = nil,
      allowed: String? = nil
    ) {
      (self.name, self.kind, self.code, self.place) = (name, kind, code, place)
      (self.seen, self.allowed) = (seen, allowed)
    }
  }

  static let ofQuantized = "kernel, bias, scale, and zeros and groups of int4, of a dense layer"
  private static let intoPadding = "the zero padding of block2_conv1 behind it, which it does not shift"
  private static let unpadded = "a dense layer or an unpadded convolution behind it"

  static let damaged = [
    Refusal(
      "bad/channel_chain_broken.h5", .malformed, "model.chain",
      at: "layer block3_conv2, tensor block3_conv2/block3_conv2/kernel:0",
      seen: "7 input channels",
      allowed: "4, as the layer before it gives"),
    Refusal(
      "bad/external_link.h5", .unsupported, "keras.link", at: "block2_conv1/block2_conv1/kernel:0",
      seen: "a link (external) to ../keras/vgg_a_digits.h5",
      allowed: "a data set of this file"),
    Refusal(
      "bad/kernel_5x5.h5", .unsupported, "model.kernel",
      at: "layer block3_conv2, tensor block3_conv2/block3_conv2/kernel:0",
      seen: "a kernel of 5x5",
      allowed: "3x3 or 1x1"),
    Refusal(
      "bad/missing_bias.h5", .malformed, "keras.bias", at: "layer block3_conv2",
      seen: "1 weight",
      allowed: "2: a kernel and a bias"),
    Refusal(
      "bad/nan_inf.h5", .malformed, "model.nonfinite",
      at: "tensor block3_conv1/block3_conv1/kernel:0, element 64",
      seen: "nan",
      allowed: "finite numbers"),
    Refusal(
      "bad/png_renamed.h5", .unsupported, "keras.kind",
      allowed: "HDF5, a .keras archive or an index of shards"),
    Refusal(
      "bad/soft_link_loop.h5", .unsupported, "keras.link", at: "block3_conv1",
      seen: "a link (soft) to /block3_conv2",
      allowed: "a data set of this file"),
    Refusal(
      "bad/string_dataset.h5", .unsupported, "keras.type", at: "tensor block1_conv1/block1_conv1/kernel:0",
      seen: "texts of 8 bytes",
      allowed: "float16, bfloat16, float32 or float64"),
    Refusal(
      "bad/truncated.h5", .malformed, "hdf5.truncated",
      seen: "32976 bytes",
      allowed: "49464 bytes, as its superblock says"),
    Refusal(
      "bad/zero_bytes.h5", .unsupported, "keras.kind",
      allowed: "HDF5, a .keras archive or an index of shards"),
    Refusal(
      "bad/zip_slip.keras", .malformed, "zip.name", at: "member 2",
      seen: "../../../../tmp/zip_slip_was_here.txt",
      allowed: "relative names without '..'"),
  ]

  static let otherwise = [
    Refusal(
      "keras/vgg_a_lrn.h5", .unsupported, "keras.lrn", at: "layer block1_lrn"),
    Refusal(
      "keras_cases/bad_addition.h5", .unsupported, "keras.layer", at: "layer add_3",
      seen: "a layer without weights"),
    Refusal(
      "keras_cases/bad_alexnet.h5", .unsupported, "model.known",
      at: "layer conv1, tensor conv1/conv1/kernel:0",
      seen: "a first kernel of 2x3x11x11, a second of 4x2x5x5, 5 convolutions",
      allowed: "the networks A, A-LRN, B, C, D, E"),
    Refusal(
      "keras_cases/bad_arrays.npz", .unsupported, "keras.archive",
      seen: "members a.npy, b.npy",
      allowed: "config.json and model.weights.h5, as in a .keras file"),
    Refusal(
      "keras_cases/bad_batch_normalization.h5", .unsupported, "keras.normalization.order",
      at: "layer block1_bn", seen: "no activation between it and the layers around it"),
    Refusal(
      "keras_cases/bad_bn_activation_inside.weights.h5", .unsupported, "model.normalization.order",
      at: "layer batch_normalization, behind conv2d",
      seen: "the zero padding of conv2d_1 behind it, which it does not shift",
      allowed: "a dense layer or an unpadded convolution behind it"),
    Refusal(
      "keras_cases/bad_bn_axis.h5", .unsupported, "keras.config.value", at: "layer block1_bn1, axis",
      seen: "1",
      allowed: "that of the channels, 3 or -1"),
    Refusal(
      "keras_cases/bad_bn_behind_activation.h5", .unsupported, "model.normalization.order",
      at: "layer block1_bn1, behind block1_conv1", seen: intoPadding, allowed: unpadded),
    Refusal(
      "keras_cases/bad_bn_behind_activation_weights.h5", .unsupported, "model.normalization.order",
      at: "layer block1_bn1, behind block1_conv1", seen: intoPadding, allowed: unpadded),
    Refusal(
      "keras_cases/bad_bn_count.weights.h5", .unsupported, "keras.order", at: "batch normalisations",
      seen: "5 with 8 convolutions",
      allowed: "one behind each convolution, or behind each layer but the last"),
    Refusal(
      "keras_cases/bad_bn_epsilon.h5", .unsupported, "keras.config.value", at: "layer block1_bn1, epsilon",
      seen: "-1", allowed: "a number of 0 or more"),
    Refusal(
      "keras_cases/bad_bn_first.h5", .unsupported, "keras.normalization", at: "layer input_1",
      seen: "in front of the first convolution",
      allowed: "one behind a convolution or dense layer, or behind its ReLU"),
    Refusal(
      "keras_cases/bad_bn_length.h5", .malformed, "model.normalization",
      at: "layer block3_conv2, tensor block3_bn2/block3_bn2/gamma:0", seen: "[3]", allowed: "[4]"),
    Refusal(
      "keras_cases/bad_bn_mode.h5", .unsupported, "keras.config.value", at: "layer block1_bn1, mode",
      seen: "2", allowed: "0, with recorded statistics for each channel"),
    Refusal(
      "keras_cases/bad_bn_negative_variance.h5", .malformed, "model.normalization",
      at: "layer block3_bn2, tensor block3_bn2/block3_bn2/moving_variance:0",
      seen: "-1.1158950328826904 for channel 0, epsilon 0.001", allowed: "a positive sum"),
    Refusal(
      "keras_cases/bad_bn_no_activation.h5", .unsupported, "model.normalization.order",
      at: "layer block1_bn1, behind block1_conv1", seen: intoPadding, allowed: unpadded),
    Refusal(
      "keras_cases/bad_bn_not_configured.h5", .malformed, "keras.config.weights", at: "layer block1_conv1",
      seen: "a batch normalisation, block1_bn1", allowed: "no batch normalisation, as configured"),
    Refusal(
      "keras_cases/bad_bn_not_stored.h5", .malformed, "keras.config.weights", at: "layer block1_conv1",
      seen: "none", allowed: "block1_bn1 behind it, as configured"),
    Refusal(
      "keras_cases/bad_bn_three_vectors.weights.h5", .unsupported, "keras.layer",
      at: "layer batch_normalization_2", seen: "[4] [4] [4] of batch_normalization",
      allowed: "a kernel of 4 or 2 axes and a bias of 1, or gamma, beta, mean and variance"),
    Refusal(
      "keras_cases/bad_bias_length.h5", .malformed, "model.bias", at: "layer fc2, tensor fc2/fc2_b:0",
      seen: "[11]",
      allowed: "[12]"),
    Refusal(
      "keras_cases/bad_caffe_snapshot.h5", .unsupported, "keras.generation",
      seen: "a snapshot of Caffe's",
      allowed: "layer_names, nb_layers, model_weights or groups vars"),
    Refusal(
      "keras_cases/bad_config_activation.h5", .unsupported, "keras.config.value",
      at: "layer block3_conv1, activation",
      seen: "\"elu\"",
      allowed: "relu, linear"),
    Refusal(
      "keras_cases/bad_config_bias.h5", .malformed, "keras.bias", at: "layer block4_conv1",
      seen: "2 weights",
      allowed: "1: a kernel"),
    Refusal(
      "keras_cases/bad_config_branch.h5", .unsupported, "keras.branch", at: "layer block3_conv1",
      seen: "input from block1_conv1",
      allowed: "input from block2_pool"),
    Refusal(
      "keras_cases/bad_config_extent.h5", .unsupported, "model.flatten", at: "layer fc1",
      seen: "32 inputs = 4 pixels",
      allowed: "3x3 pixels, as an input of 96x96 gives"),
    Refusal(
      "keras_cases/bad_config_filters.h5", .malformed, "keras.config.weights", at: "layer block3_conv1",
      seen: "a kernel of shape [3, 3, 4, 4]",
      allowed: "a convolution of 3x3 with 5 outputs, as configured (block3_conv1)"),
    Refusal(
      "keras_cases/bad_config_hidden_softmax.h5", .unsupported, "keras.config.value",
      at: "layer fc1, activation",
      seen: "softmax",
      allowed: "relu or linear"),
    Refusal(
      "keras_cases/bad_config_json.h5", .malformed, "keras.config", at: "model_config, character 40",
      allowed: "JSON"),
    Refusal(
      "keras_cases/bad_config_layer.h5", .unsupported, "keras.layer", at: "layer fc1", seen: "no Flatten",
      allowed: "Flatten or a pooling over the whole map in front of it"),
    Refusal(
      "keras_cases/bad_config_missing_layer.h5", .malformed, "keras.config.weights", at: "layer fc2",
      seen: "a kernel of shape [12, 12]",
      allowed: "a dense layer with 10 outputs, as configured (predictions)"),
    Refusal(
      "keras_cases/bad_config_no_activation.h5", .unsupported, "keras.config.value",
      at: "layer block4_conv1, activation",
      seen: "linear",
      allowed: "relu"),
    Refusal(
      "keras_cases/bad_config_pool.h5", .unsupported, "keras.config.value",
      at: "layer block3_pool, pool_size",
      seen: "[3, 3]",
      allowed: "2x2"),
    Refusal(
      "keras_cases/bad_config_pools_moved.h5", .unsupported, "model.poolings", at: nil,
      seen: "5 poolings behind 1, 2, 3, 6, 8 convolutions, 8 convolutions in all",
      allowed:
        "VGG-11 (A): behind 1, 2, 4, 6, 8; VGG-13 (B) up to pool4: behind 2, 4, 6, 8; VGG-16 (D) up to conv4_1: "
        + "behind 2, 4, 7; VGG-19 (E) up to pool3: behind 2, 4, 8"),
    Refusal(
      "keras_cases/bad_config_stride.h5", .unsupported, "keras.config.value",
      at: "layer block2_conv1, strides",
      seen: "[2, 2]",
      allowed: "1x1"),
    Refusal(
      "keras_cases/bad_empty_kernel.h5", .malformed, "model.channels",
      at: "layer block5_conv2, tensor block5_conv2/block5_conv2_k:0",
      seen: "shape [3, 3, 8, 0]",
      allowed: "1 to 65536"),
    Refusal(
      "keras_cases/bad_adapted_normalization.h5", .unsupported, "keras.config.value",
      at: "layer normalization, mean", seen: "nothing",
      allowed: "numbers; statistics among the weights are not read"),
    Refusal(
      "keras_cases/bad_attributes.weights.h5", .unsupported, "keras.order", at: "convolutions",
      seen: "block1_conv1 and block2_conv1", allowed: "layers of one class in one model"),
    Refusal(
      "keras_cases/bad_bfloat16_integers.weights.h5", .unsupported, "keras.type",
      at: "tensor layers/conv2d/vars/0", seen: "unsigned integers of 2 bytes",
      allowed: "float16, bfloat16, float32 or float64"),
    Refusal(
      "keras_cases/bad_opaque.weights.h5", .unsupported, "keras.type", at: "tensor layers/conv2d/vars/0",
      seen: "2 bytes without a meaning", allowed: "float16, bfloat16, float32 or float64"),
    Refusal(
      "keras_cases/bad_config_global_and_map.h5", .unsupported, "model.flatten", at: "layer fc1",
      seen: "32 inputs = 4 pixels", allowed: "1x1 pixels, as an input of 64x64 gives"),
    Refusal(
      "keras_cases/bad_global_pooling_late.h5", .unsupported, "keras.layer",
      at: "layer global_average_pooling2d_1", seen: "a layer without weights"),
    Refusal(
      "keras_cases/bad_random_crop.h5", .unsupported, "keras.layer", at: "layer random_crop",
      seen: "RandomCrop"),
    Refusal(
      "keras_cases/bad_rescaling_late.h5", .unsupported, "keras.layer", at: "layer rescaling",
      seen: "Rescaling, behind block1_conv1", allowed: "one in front of the first convolution"),
    Refusal(
      "keras_cases/bad_rescaling_zero.h5", .unsupported, "keras.config.value", at: "layer rescaling, scale",
      seen: "0.0", allowed: "numbers other than 0"),
    Refusal(
      "keras_cases/bad_root_variables.weights.h5", .unsupported, "keras.unknown", at: "tensor vars/0",
      seen: "shape [3]"),
    Refusal(
      "keras_cases/bad_time_distributed.h5", .unsupported, "keras.layer", at: "layer time_distributed_1",
      seen: "time_distributed"),
    Refusal(
      "keras_cases/bad_transposed.weights.h5", .unsupported, "keras.layer", at: "layer conv2d_transpose",
      seen: "conv2d_transpose"),
    Refusal(
      "keras_cases/bad_unknown_head.h5", .unsupported, "keras.head", at: "layer fc1",
      seen: "8 inputs, and no layer that is called flatten",
      allowed: "flatten, or a pooling that is called global"),
    Refusal(
      "keras_cases/bad_gptq.weights.h5", .unsupported, "keras.quantization",
      at: "layer dense_1, tensor layers/dense_1/vars/1",
      seen: "numbers [12], bytes [6, 12], numbers [12, 1], bytes [12, 1], numbers [12]", allowed: ofQuantized),
    Refusal(
      "keras_cases/bad_int4_broken_group.weights.h5", .malformed, "keras.quantization.group",
      at: "tensor layers/dense_1/vars/4, element 3", seen: "0.5", allowed: "0 to 1"),
    Refusal(
      "keras_cases/bad_int4_far_group.weights.h5", .malformed, "keras.quantization.group",
      at: "tensor layers/dense_1/vars/4, element 3", seen: "2.0", allowed: "0 to 1"),
    Refusal(
      "keras_cases/bad_int4_one_output.weights.h5", .malformed, "keras.quantization.shape",
      at: "layer dense_2, tensor layers/dense_2/vars/0", seen: "shape [12, 1]",
      allowed: "what 1 scales and the layer before it need"),
    Refusal(
      "keras_cases/bad_int4_zeros.weights.h5", .malformed, "keras.quantization.shape",
      at: "layer dense_1, tensor layers/dense_1/vars/2", seen: "shape [2, 12]",
      allowed: "[groups, outputs] for a kernel of shape [12, 6]"),
    Refusal(
      "keras_cases/bad_int8_convolution.weights.h5", .unsupported, "keras.quantization",
      at: "layer conv2d_2, tensor layers/conv2d_2/vars/0",
      seen: "bytes [3, 3, 4, 4], numbers [4], numbers [4]", allowed: ofQuantized),
    Refusal(
      "keras_cases/bad_int8_inputs.weights.h5", .malformed, "keras.quantization.shape",
      at: "layer dense_1, tensor layers/dense_1/vars/0", seen: "shape [9, 12]",
      allowed: "what 12 scales and the layer before it need"),
    Refusal(
      "keras_cases/bad_int8_nan_scale.weights.h5", .malformed, "keras.quantization.scale",
      at: "tensor layers/dense_1/vars/2, element 5", seen: "nan", allowed: "a positive number"),
    Refusal(
      "keras_cases/bad_int8_negative_scale.weights.h5", .malformed, "keras.quantization.scale",
      at: "tensor layers/dense_1/vars/2, element 5", seen: "-1.0", allowed: "a positive number"),
    Refusal(
      "keras_cases/bad_int8_scale_length.weights.h5", .malformed, "keras.quantization.shape",
      at: "layer dense_1, tensor layers/dense_1/vars/0", seen: "shape [12, 12]",
      allowed: "what 11 scales and the layer before it need"),
    Refusal(
      "keras_cases/bad_int8_zero_scale.weights.h5", .malformed, "keras.quantization.scale",
      at: "tensor layers/dense_1/vars/2, element 5", seen: "0.0", allowed: "a positive number"),
    Refusal(
      "keras_cases/bad_ternary.keras", .unsupported, "keras.config.value", at: "layer fc1, dtype",
      seen: "\"ternary\"", allowed: "int8, int4, float8 or no quantisation"),
    Refusal(
      "keras_cases/bad_lambda_inside.h5", .unsupported, "keras.lambda", at: "layer lambda_1",
      seen: "Lambda"),
    Refusal(
      "keras_cases/bad_lrn_elsewhere.h5", .unsupported, "keras.layer", at: "layer lrn2",
      seen: "a layer without weights"),
    Refusal(
      "keras_cases/bad_layer_normalization.h5", .unsupported, "keras.layer", at: "layer block1_bn1",
      seen: "[2] [2]",
      allowed: "a kernel of 4 or 2 axes and a bias of 1, or gamma, beta, mean and variance"),
    Refusal(
      "keras_cases/bad_missing_data_set.h5", .malformed, "keras.missing", at: "fc1/fc1_b:0"),
    Refusal(
      "keras_cases/bad_missing_group.h5", .malformed, "keras.missing", at: "block4_conv1"),
    Refusal(
      "keras_cases/bad_names_as_numbers.h5", .malformed, "keras.attribute",
      at: "attribute weight_names of fc1",
      seen: "integers([0, 1])",
      allowed: "texts"),
    Refusal(
      "keras_cases/bad_never_written.h5", .malformed, "keras.unwritten", at: "tensor fc2/fc2_k:0",
      seen: "shape [12, 12]",
      allowed: "what a file of 38072 bytes can hold"),
    Refusal(
      "keras_cases/bad_other.h5", .unsupported, "keras.generation",
      seen: "groups x",
      allowed: "layer_names, nb_layers, model_weights or groups vars"),
    Refusal(
      "keras_cases/bad_pickled_weights.keras", .unsupported, "keras.archive",
      seen: "members config.json, metadata.json, model.weights.npz",
      allowed: "config.json and model.weights.h5, as in a .keras file"),
    Refusal(
      "keras_cases/bad_pytorch.pth", .unsupported, "keras.archive",
      seen: "members archive/data.pkl, archive/version",
      allowed: "config.json and model.weights.h5, as in a .keras file"),
    Refusal(
      "keras_cases/bad_same_data_set_twice.h5", .malformed, "keras.twice",
      at: "tensor block4_conv2/block4_conv2_b:0",
      seen: "those of block4_conv1/block4_conv1_b:0"),
    Refusal(
      "keras_cases/bad_same_layer_twice.h5", .malformed, "keras.twice", at: "attribute layer_names",
      seen: "block5_conv1"),
    Refusal(
      "keras_cases/bad_shape_bomb.h5", .malformed, "model.channels",
      at: "layer block5_conv2, tensor block5_conv2/block5_conv2_k:0",
      seen: "shape [3, 3, 8, 1099511627776]",
      allowed: "1 to 65536"),
    Refusal(
      "keras_cases/bad_soft_link_aside.h5", .unsupported, "keras.link", at: "elsewhere",
      seen: "a link (soft) to /fc1",
      allowed: "a data set of this file"),
    Refusal(
      "keras_cases/bad_stray_data_set.h5", .unsupported, "keras.unknown", at: "tensor fc1/mask",
      seen: "shape [12]"),
    Refusal(
      "keras_cases/bad_text.zip", .unsupported, "keras.archive",
      seen: "members readme.txt",
      allowed: "config.json and model.weights.h5, as in a .keras file"),
    Refusal(
      "keras_cases/bad_third_weight.h5", .unsupported, "keras.unknown",
      at: "tensor block2_conv1/block2_conv1_x:0",
      seen: "shape [12]",
      allowed: "a kernel and a bias in layer block2_conv1"),
    Refusal(
      "keras_cases/bad_two_nested.weights.h5", .unsupported, "keras.order", at: "convolutions",
      seen: "layers/conv2d and layers/functional/layers/conv2d",
      allowed: "layers of one class in one model"),
    Refusal(
      "keras_cases/keras2_full_lrn.h5", .unsupported, "keras.lrn", at: "layer normalise"),
  ]

  @Test(arguments: damaged + otherwise)
  func isRefused(_ refusal: Refusal) throws {
    let error = try #require(throws: FileError.self) { try importedModel(refusal.name) }
    #expect(error.kind == refusal.kind)
    #expect(error.code == refusal.code)
    #expect(error.place == refusal.place)
    #expect(error.seen == refusal.seen)
    #expect(error.allowed == refusal.allowed)
    #expect(error.file.hasSuffix(refusal.name))
    #expect(!error.description.contains("\n"))
  }

  @Test func placesInTheFileAreGivenWhereTheyAreKnown() throws {
    let error = try #require(throws: FileError.self) { try importedModel("bad/nan_inf.h5") }
    let file = try MappedFile(path: fixture("bad/nan_inf.h5"))
    let offset = try #require(error.offset)
    let bits = try #require(file.bytes.integer(at: offset, as: UInt32.self))
    #expect(Float(bitPattern: bits).isNaN)
  }

  @Test func anotherArchitectureThanAskedForIsRefused() throws {
    let error = try #require(throws: FileError.self) {
      try importedModel("keras/vgg_c.h5") { $0.architecture = .d }
    }
    #expect(error.code == "model.architecture")
    #expect((error.seen, error.allowed) == ("C", "D"))
  }

  @Test func constantsThatAKerasFileCannotHoldAreAskedFor() throws {
    let error = try #require(throws: FileError.self) { try importedModel("keras/vgg_a_lrn.h5") }
    #expect(error.advice?.contains("--lrn SIZE,ALPHA,BETA,K, such as --lrn 5,0.0005,0.75,2") == true)
  }
}
