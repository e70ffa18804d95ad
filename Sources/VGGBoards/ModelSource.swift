internal import CVGGRuntime
internal import VGGModel

/// A model as the C source of a package: `model.h`, `model.c`, and what goes with them.
///
/// What a compiler can check of it is asserted there: sizes of structures that the image depends on, and that each map is within the arena.
struct ModelSource {
  /// A layer with its table, where it has one.
  struct Layer {
    var name: String
    /// All but the pointer to the table.
    var record: vggrt_layer
    var table: Table?
  }

  /// What a layer's pointer to a table points to.
  enum Table {
    /// 256 exponentials of a softmax, by the rounding `litert`.
    case exponentials([Float])
    /// The same by the rounding `tflm`.
    case integerExponentials([Int32])
    /// The code for each code, from -128 on.
    case lookup([Int8])
    /// Of a local response normalisation.
    case normalization(vggrt_normalization)
  }

  /// What the model is, in a line.
  var title: String
  /// What else is worth saying at the top, in lines.
  var notes: [String] = []
  var layers: [Layer]
  var maps: [vggrt_map]
  var groups: [vggrt_group]
  /// Its numbers; the pointers are the source's own.
  var model: vggrt_model
  /// What the codes of the input stand for.
  var input: ActivationQuantization
  /// What those of the output stand for.
  var output: ActivationQuantization
  /// The codes of all 256 bytes that a pixel may be, for each channel, where pictures are prepared.
  var inputCodes: [[Int8]]?
  /// The codes of an input for the self-test.
  var selfTestInput: [Int8]
  /// The CRC-32 of what each layer makes of it.
  var selfTestDigests: [UInt32]
  /// The names of the classes, or none.
  var labels: [String] = []
  /// The most bytes of stack that a run needs.
  var stackByteCount: Int
  var embedding: BoardOptions.Embedding

  private var digestBytes: [UInt8] { withUnsafeBytes(of: model.weights_digest) { Array($0) } }
  private var isLitert: Bool { UInt32(model.rounding) == VGGRT_LITERT.rawValue }

  /// `model.h`: what a program must know of the model.
  var header: String {
    func define(_ name: String, _ value: String, _ comment: String = "") -> String {
      (comment.isEmpty ? "" : "/* \(comment) */\n") + "#define VGGRT_MODEL_\(name) \(value)\n"
    }
    let inputShape = layers[0].record.input
    let outputShape = layers[layers.count - 1].record.output
    var text = """
      /*
       * \(CText.comment(title))

      """
    for note in notes { text += note.isEmpty ? " *\n" : " * \(CText.comment(note))\n" }
    text += " */\n#ifndef VGGRT_MODEL_H\n#define VGGRT_MODEL_H\n\n#include \"vggrt.h\"\n\n"
    text += define(
      "ARENA_SIZE", "\(model.arena_size)u", "Bytes of RAM, to begin at a multiple of VGGRT_ALIGNMENT.")
    text += define("STACK_SIZE", "\(stackByteCount)u", "Bytes of stack, at most, of vggrt's functions.")
    text += define("WEIGHTS_SIZE", "\(model.weights_length)u", "Bytes of the weight image.")
    text += define(
      "WINDOW_SIZE", "\(model.window_size)u",
      "Bytes of the arena that weights are read to; 0: they must lie in memory.")
    text += define(
      "WEIGHTS_EMBEDDED", embedding == .none ? "0" : "1", "Whether the image is part of the program.")
    text += define("LAYER_COUNT", "\(layers.count)u")
    text +=
      "\n/* The input: rows of pixels of channels, one code each; value = (code - zero point) * scale. */\n"
    text += define("INPUT_HEIGHT", "\(inputShape.height)u")
    text += define("INPUT_WIDTH", "\(inputShape.width)u")
    text += define("INPUT_CHANNELS", "\(inputShape.channels)u")
    text += define("INPUT_SIZE", "\(inputShape.count)u")
    text += define("INPUT_SCALE", CText.literal(input.scale))
    text += define("INPUT_ZERO_POINT", "(\(input.zeroPoint))")
    text += "\n/* The output. */\n"
    text += define("OUTPUT_SIZE", "\(outputShape.count)u")
    text += define("CLASS_COUNT", "\(outputShape.channels)u")
    text += define("OUTPUT_SCALE", CText.literal(output.scale))
    text += define("OUTPUT_ZERO_POINT", "(\(output.zeroPoint))")
    text += "\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
    text += "extern const vggrt_model vggrt_model_data;\n\n"
    text += "/* VGGRT_MODEL_ARENA_SIZE, for programs that do not know it when they are compiled. */\n"
    text += "size_t vggrt_arena_size(void);\n\n"
    text += "extern const char *const vggrt_layer_names[VGGRT_MODEL_LAYER_COUNT];\n"
    if !labels.isEmpty {
      text += "\n/* The names of the classes. */\n"
      text += "extern const char *const vggrt_labels[VGGRT_MODEL_CLASS_COUNT];\n"
    }
    if embedding != .none {
      text +=
        "\n/* The weight image. */\nextern const uint8_t vggrt_model_weights[VGGRT_MODEL_WEIGHTS_SIZE];\n"
    }
    if inputCodes != nil {
      text += "\n/* The input's code of each byte of a picture, for each channel in the network's order. */\n"
      text += "extern const int8_t vggrt_input_codes[VGGRT_MODEL_INPUT_CHANNELS][256];\n"
    }
    text += "\n/* An input, and the CRC-32 of what each layer makes of it. */\n"
    text += "extern const int8_t vggrt_selftest_input[VGGRT_MODEL_INPUT_SIZE];\n"
    text += "extern const uint32_t vggrt_selftest_crc32[VGGRT_MODEL_LAYER_COUNT];\n\n"
    text +=
      "/* Runs that input. VGGRT_WRONG_OUTPUT: `wrong_layer` is the first layer whose output is another one. */\n"
    text += "vggrt_status vggrt_selftest(vggrt *runtime, uint32_t *wrong_layer);\n\n"
    return text + "#ifdef __cplusplus\n}\n#endif\n\n#endif\n"
  }

  /// `vggrt_config.h`: what of the runtime the model does not need.
  var configuration: String {
    func has(_ kind: vggrt_kind) -> Bool { layers.contains { UInt32($0.record.kind) == kind.rawValue } }
    func has(_ encoding: vggrt_encoding) -> Bool {
      layers.contains { UInt32($0.record.encoding) == encoding.rawValue }
    }
    let unneeded = [
      ("LITERT", !isLitert), ("NORMALIZATION", !has(VGGRT_NORMALIZATION)),
      ("WINOGRAD", !has(VGGRT_WINOGRAD)), ("SHA256", model.has_sha256 == 0),
    ]
    return "/* What of the runtime this model does not need. */\n"
      + unneeded.filter(\.1).map { "#define VGGRT_NO_\($0.0)\n" }.joined()
  }

  /// `model.c`: layers, plan, tables, self-test.
  var source: String {
    var text = "/* \(CText.comment(title)): layers, plan of memory, tables, self-test. See vggrt.h. */\n"
    text += "#include \"model.h\"\n\n"
    text += assertions
    for layer in layers { text += layer.tableSource }
    text += "static const vggrt_layer layers[VGGRT_MODEL_LAYER_COUNT] = {\n"
    for layer in layers { text += layer.source }
    text += "};\n\n/* Where the rows of each map are: of the input, then of each layer's output. */\n"
    text += "static const vggrt_map maps[VGGRT_MODEL_LAYER_COUNT + 1] = {\n"
    for (name, map) in zip(["input"] + layers.map(\.name), maps) {
      text += "  {.offset = \(map.offset)u, .rows = \(map.rows)}, /* \(name) */\n"
    }
    text += "};\n\nstatic const vggrt_group groups[] = {\n"
    for group in groups {
      let names = layers[Int(group.first)..<Int(group.first) + Int(group.count)].map(\.name)
      text += """
          {.first = \(group.first), .count = \(group.count), .strip = \(group.strip), .scratch_offset = \
        \(group.scratch_offset)u, .window_offset = \(group.window_offset)u}, /* \
        \(names.count > 1 ? "\(names[0]) to \(names[names.count - 1])" : names[0]) */

        """
    }
    text += """
      };

      const vggrt_model vggrt_model_data = {
        .layers = layers,
        .maps = maps,
        .groups = groups,
        .layer_count = VGGRT_MODEL_LAYER_COUNT,
        .group_count = \(groups.count),
        .rounding = \(isLitert ? "VGGRT_LITERT" : "VGGRT_TFLM"),
        .has_sha256 = \(model.has_sha256),
        .arena_size = VGGRT_MODEL_ARENA_SIZE,
        .window_size = VGGRT_MODEL_WINDOW_SIZE,
        .weights_length = VGGRT_MODEL_WEIGHTS_SIZE,
        .plan_crc32 = \(model.plan_crc32)u,
        .weights_digest = {
      \(CText.rows(digestBytes.map { "\($0)" }, indent: 4))
        },
      };

      size_t vggrt_arena_size(void) { return VGGRT_MODEL_ARENA_SIZE; }

      const char *const vggrt_layer_names[VGGRT_MODEL_LAYER_COUNT] = {
      \(CText.rows(layers.map { CText.string($0.name) }))
      };

      """
    if !labels.isEmpty {
      text += "\nconst char *const vggrt_labels[VGGRT_MODEL_CLASS_COUNT] = {\n"
      text += CText.rows(labels.map(CText.string)) + "\n};\n"
    }
    if let inputCodes {
      text += "\nconst int8_t vggrt_input_codes[VGGRT_MODEL_INPUT_CHANNELS][256] = {\n"
      for codes in inputCodes { text += "  {\n" + CText.rows(codes.map { "\($0)" }, indent: 4) + "\n  },\n" }
      text += "};\n"
    }
    text += "\nconst int8_t vggrt_selftest_input[VGGRT_MODEL_INPUT_SIZE] = {\n"
    text += CText.rows(selfTestInput.map { "\($0)" }) + "\n};\n"
    text += "\nconst uint32_t vggrt_selftest_crc32[VGGRT_MODEL_LAYER_COUNT] = {\n"
    return text + CText.rows(selfTestDigests.map { "\($0)u" }) + "\n};\n"
  }

  /// `model_weights.S`: the image by `.incbin`.
  static var includedImage: String {
    """
    /* The weight image, as it is in model_weights.bin. */
      .section .rodata.vggrt_model_weights, "a"
      .global vggrt_model_weights
      .balign 16
    vggrt_model_weights:
      .incbin "model_weights.bin"
    #ifdef __ELF__
      .section .note.GNU-stack, "", %progbits
    #endif

    """
  }

  /// What a compiler can check.
  private var assertions: String {
    var text = """
      _Static_assert(sizeof(vggrt_channel) == 12 && sizeof(vggrt_image_header) == 16, "the image has other structures");
      _Static_assert(VGGRT_MODEL_ARENA_SIZE % VGGRT_ALIGNMENT == 0, "the arena's length");

      """
    let shapes = [layers[0].record.input] + layers.map(\.record.output)
    for (map, shape) in zip(maps, shapes) {
      text += """
        _Static_assert(\(map.offset)u + \(map.rows)u * \(shape.width)u * \(shape.channels)u <= VGGRT_MODEL_ARENA_SIZE, \
        "a map in the arena");

        """
    }
    return text + "\n"
  }
}

extension vggrt_shape {
  fileprivate var count: Int { Int(height) * Int(width) * Int(channels) }

  fileprivate var source: String { "{\(height), \(width), \(channels)}" }
}

extension ModelSource.Layer {
  private var tableName: String { "\(CText.identifier(name))_table" }

  fileprivate var tableSource: String {
    func array(_ type: String, _ literals: [String]) -> String {
      "static const \(type) \(tableName)[\(literals.count)] = {\n\(CText.rows(literals))\n};\n\n"
    }
    switch table {
    case nil: return ""
    case .exponentials(let values): return array("float", values.map { CText.literal($0) })
    case .integerExponentials(let values): return array("int32_t", values.map { "\($0)" })
    case .lookup(let codes): return array("int8_t", codes.map { "\($0)" })
    case .normalization(let rule):
      return """
        static const vggrt_normalization \(tableName) = {
          .k = \(rule.k),
          .unit = \(rule.unit),
          .scale_ratio = \(rule.scale_ratio),
          .quarters = \(rule.quarters),
          .reach = \(rule.reach),
        };


        """
    }
  }

  fileprivate var source: String {
    let kinds = [
      "CONVOLUTION", "MAXIMUM_POOLING", "AVERAGE_POOLING", "DENSE", "SOFTMAX", "NORMALIZATION", "LOOKUP",
    ]
    let encodings = ["PLAIN", "SPARSE", "WINOGRAD"]
    let kind = kinds[Int(record.kind)]
    var members = [".kind = VGGRT_\(kind)"]
    let hasWeights = record.weights_length > 0
    if hasWeights { members.append(".encoding = VGGRT_\(encodings[Int(record.encoding)])") }
    members.append(
      ".input_zero_point = \(record.input_zero_point), .output_zero_point = \(record.output_zero_point)")
    if hasWeights { members.append(".low = \(record.low), .high = \(record.high)") }
    members.append(".stride_height = \(record.stride_height), .stride_width = \(record.stride_width)")
    members.append(".dilation_height = \(record.dilation_height), .dilation_width = \(record.dilation_width)")
    members.append(".padding_top = \(record.padding_top), .padding_left = \(record.padding_left)")
    members.append(".kernel_height = \(record.kernel_height), .kernel_width = \(record.kernel_width)")
    members.append(".input = \(record.input.source), .output = \(record.output.source)")
    if hasWeights {
      members.append(
        ".channels_offset = \(record.channels_offset)u, .weights_offset = \(record.weights_offset)u, "
          + ".weights_length = \(record.weights_length)u")
    }
    if let table {
      if case .normalization = table {
        members.append(".table = &\(tableName)")
      } else {
        members.append(".table = \(tableName)")
      }
    }
    return "  /* \(name) */\n  {\n" + members.map { "    \($0),\n" }.joined() + "  },\n"
  }
}
