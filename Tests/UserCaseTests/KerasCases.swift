import Foundation
import JSONKit
import TestSupport
import Testing
import VGGHDF5
import VGGModel
import VGGNative
import VGGSources
import VGGTensors

/// What users of Keras files run into.
@Suite struct KerasCases {
  private static func keras(_ name: String) -> String { fixture("keras_cases/\(name)") }
  private static func real(_ name: String) -> String { fixture("keras_real/\(name)") }
  private static func user(_ name: String) -> String { fixture("user_cases/\(name)") }

  /// One file of each generation that `backend`, `nb_layers` and the rest tell apart.
  private static let generations = [
    ("keras0.h5", "keras-0-weights"), ("keras1_tf.h5", "keras-1-weights"),
    ("keras2_fixed_strings.h5", "keras-2-weights"), ("keras2_full_sequential.h5", "keras-2-model"),
    ("keras3_unnamed.weights.h5", "keras-3-weights"), ("keras3_deflated.keras", "keras-3-archive"),
  ]

  @Test(
    "case 1: attributes are read in whatever way h5py stored them",
    arguments: [
      "keras2_fixed_strings.h5", "keras2_variable_strings.h5", "keras2_scalar_strings.h5",
      "keras2_chunked_names.h5", "keras2_full_sequential.h5",
    ])
  func case1_attributes(_ name: String) throws {
    #expect(try digest(Self.keras(name)) == controlDigest && controlDigest != nil)
  }

  @Test("case 2: the generation is found by content, and printed", arguments: generations)
  func case2_generation(_ name: String, _ generation: String) throws {
    try withTemporaryFolder { folder in
      // Under a name that says nothing, or something else.
      let path = "\(folder)/model.caffemodel"
      try FileManager.default.copyItem(atPath: Self.keras(name), toPath: path)
      let process = try succeeding("import", path, "-o", "\(folder)/m.vggw")
      #expect(process.output.hasPrefix("\(path): \(generation), VGG-11 (A)"), "\(process.output)")
      #expect(try json("inspect", "\(folder)/m.vggw")["generation"]?.string == generation)
    }
  }

  @Test("case 3: generations are never mixed: all of a file is read, or nothing")
  func case3_mixed() throws {
    try expectRefusal(Self.user("two_generations.h5"), "belongs to no layer")
    try expectRefusal(Self.user("half_ported.h5"), "no weights")
    try expectRefusal(Self.keras("bad_missing_group.h5"), "block4_conv1")
  }

  @Test("case 4: files of 2015 are imported as they are")
  func case4_keras0() throws {
    for name in ["keras0.h5", "keras0_graph.h5"] {
      #expect(try digest(Self.keras(name)) == controlDigest)
    }
    // What Keras of 2015 itself wrote, and what it computed.
    for (name, reference) in [("0.2.0_theano_gist", "a_theano"), ("0.3.3_theano_gist", "d_theano")] {
      let path = Self.real("keras_\(name).h5")
      #expect(try verification(path, reference: Self.real("refs/\(reference).npz")).status == 0, "\(name)")
      #expect(try json("inspect", path)["generation"]?.string == "keras-0-weights")
    }
  }

  @Test("case 5: kernels are rotated on evidence that is told, can be overridden, and is proven by running")
  func case5_rotation() throws {
    let files = [
      ("keras0.h5", "yes"), ("keras1_th_theano.h5", "yes"), ("keras2_theano_backend.h5", "yes"),
      ("keras1_th_tensorflow.h5", "no"), ("keras1_tf.h5", "no"), ("keras2_fixed_strings.h5", "no"),
    ]
    for (name, choice) in files {
      let imported = try model(Self.keras(name))
      #expect(try digest(imported) == controlDigest, "\(name)")
      let decision = try #require(imported.decision("kernel-flip"))
      #expect(decision.choice == choice && !decision.evidence.isEmpty, "\(name)")
      let overridden = try model(Self.keras(name)) { $0.kernelsAreRotated = choice == "no" }
      #expect(try digest(overridden) != controlDigest, "\(name)")
      #expect(overridden.decision("kernel-flip")?.evidence == "asked for")
    }
    let told = try succeeding("inspect", Self.keras("keras1_th_theano.h5"))
    #expect(told.output.contains("kernel-flip: yes (") && told.output.contains("Theano"))
    // What Keras computed tells a wrong decision from a right one.
    let (source, reference) = (fixture("keras/vgg_d_digits.h5"), fixture("refs/keras_vgg_d_digits.npz"))
    #expect(try verification(source, reference: reference).status == 0)
    #expect(try verification(source, reference: reference, "--kernel-flip", "yes").status == 1)
    for (name, framework, wrong) in [
      ("keras_1.0.1_theano_th.h5", "theano", "no"), ("keras_1.2.2_tensorflow_th.h5", "tensorflow", "yes"),
      ("keras_2.2.4_theano_first.h5", "theano", "no"),
    ] {
      let (source, reference) = (Self.real(name), Self.real("refs/a_\(framework).npz"))
      #expect(try verification(source, reference: reference).status == 0, "\(name)")
      #expect(try verification(source, reference: reference, "--kernel-flip", wrong).status == 1, "\(name)")
    }
  }

  @Test("case 6: the inputs of fc6 are brought to one order, and a wrong order is seen at fc6")
  func case6_flattenOrder() throws {
    #expect(
      try digest(fixture("keras/vgg_d_digits.h5")) == digest(fixture("caffe/vgg_d_digits.caffemodel")))
    #expect(try digest(Self.keras("keras2_full_channels_first_chw.h5")) == controlDigest)
    #expect(try digest(Self.keras("keras2_full_channels_first.h5")) == controlDigest)
    // Flatten did not permute up to Keras 2.1.6 unless told to, and does since 2.2.
    for (name, framework) in [("2.1.5_theano", "theano"), ("2.2.4_tensorflow", "tensorflow")] {
      let reference = Self.real("refs/a_\(framework).npz")
      #expect(try verification(Self.real("keras_\(name)_first_full.h5"), reference: reference).status == 0)
    }
    let (status, report) = try verification(
      fixture("keras/vgg_d_digits.h5"), reference: fixture("refs/keras_vgg_d_digits.npz"), "--flatten-order",
      "chw")
    #expect(status == 1)
    #expect(try #require(report["reasons"]?.array?.first?.string).hasPrefix("fc6"))
  }

  /// Every way to store a network that kernel layout, rotation and flatten order make together.
  private static let layouts = ["hwio", "oihw"].flatMap { layout in
    [("plain", false), ("rotated", true)].flatMap { sense, isRotated in
      [FlattenOrder.hwc, .chw].map {
        (name: "\(layout)_\(sense)_\($0.rawValue).h5", isRotated: isRotated, order: $0)
      }
    }
  }

  @Test(
    "case 7: rotation, transposition and flatten order are three switches: all eight files are one network")
  func case7_switches() throws {
    #expect(Self.layouts.count == 8)
    for item in Self.layouts {
      let imported = try model(Self.user(item.name)) {
        $0.kernelsAreRotated = item.isRotated
        $0.flattenOrder = item.order
      }
      #expect(try digest(imported) == controlDigest, "\(item.name)")
      #expect(
        imported.decision("kernel-layout")?.choice == item.name.prefix(4).uppercased(), "\(item.name)")
    }
    // Each switch alone changes the result.
    let digests = try Set(
      [(false, FlattenOrder.hwc), (false, .chw), (true, .hwc), (true, .chw)].map { isRotated, order in
        try digest(Self.user("hwio_plain_hwc.h5")) {
          $0.kernelsAreRotated = isRotated
          $0.flattenOrder = order
        }
      })
    #expect(digests.count == 4)
  }

  @Test("case 8: a file without dense layers is known by its content, and is a feature extractor")
  func case8_withoutTop() throws {
    try withTemporaryFolder { folder in
      let (source, features) = (fixture("keras/vgg_d_notop.h5"), "\(folder)/features.vggw")
      let imported = try succeeding("import", source, "-o", features)
      #expect(imported.output.contains("VGG-16 (D), no top"))
      let report = try json("inspect", features)
      #expect(report["hasTop"]?.bool == false && report["classCount"] == .null)
      #expect(report["tensors"]?.array?.count == 26)  // 13 convolutions and their biases
      try succeeding("verify", source, features, "--reference", fixture("refs/keras_vgg_d_notop.npz"))
      // It is not taken for the whole network.
      let judged = try vggconv("verify", fixture("keras/vgg_d_digits.h5"), features)
      #expect(judged.status == 1 && judged.output.contains("fc6/weight"))
    }
  }

  @Test("case 9: shapes come from the weights, not from a model that was never built")
  func case9_unbuilt() throws {
    let unbuilt = try model(Self.user("unbuilt.h5"))
    #expect(try digest(unbuilt) == controlDigest)
    #expect(unbuilt.network.inputExtent == Extent(side: 64) && unbuilt.network.classCount == 10)
  }

  @Test("case 10: every tensor of the source is used or listed, every layer is filled")
  func case10_ledger() throws {
    let files = [
      "bad/control_ok.h5", "keras/vgg_d_digits_full.h5", "keras_cases/keras2_full_optimizer.h5",
      "keras_cases/keras2_nested_frozen.h5", "keras_cases/keras3_nested.weights.h5", "keras_cases/keras0.h5",
    ]
    for file in files {
      let imported = try model(fixture(file))
      let used = imported.tensors.compactMap { $0.source?.name }
      let listed = imported.provenance.dropped.map(\.name)
      #expect(used.count == imported.tensors.count)
      #expect(try Set(used + listed) == dataSets(fixture(file)), "\(file)")
      #expect(Set(used + listed).count == used.count + listed.count, "\(file)")
    }
    try withTemporaryFolder { folder in
      let process = try succeeding(
        "import", Self.keras("keras2_full_optimizer.h5"), "-o", "\(folder)/m.vggw")
      #expect(
        process.errors.contains("left out: optimizer_weights/training/iterations:0 (state of the optimizer)"))
    }
    try expectRefusal(Self.keras("bad_stray_data_set.h5"), "fc1/mask")
    try expectRefusal(Self.keras("bad_missing_data_set.h5"), "fc1/fc1_b:0")
  }

  @Test("case 11: there is no way to skip what does not fit")
  func case11_noSkipping() throws {
    for flag in ["--skip-mismatch", "--by-name"] {
      #expect(try vggconv("import", fixture("bad/control_ok.h5"), flag).status == 64)
    }
    #expect(try !succeeding("help", "import").output.contains("skip"))
    try expectRefusal(fixture("bad/channel_chain_broken.h5"), "block3_conv2", "7 input channels")
  }

  @Test("case 12: weights are addressed by path, and names that collide are refused")
  func case12_collidingNames() throws {
    // Several layers of one short name, told apart by where they are.
    #expect(try digest(Self.keras("keras3_nested.weights.h5")) == controlDigest)
    #expect(try digest(Self.keras("keras2_nested.h5")) == controlDigest)
    try expectRefusal(Self.user("colliding_names.h5"), "the same numbers for two weights", "vgg16/kernel")
    try expectRefusal(Self.keras("bad_same_layer_twice.h5"), "block5_conv1")
    try expectRefusal(Self.keras("bad_same_data_set_twice.h5"), "block4_conv1_b:0")
  }

  @Test("case 13: Keras 3 is read by path, and a group without weights is an error")
  func case13_emptyGroups() throws {
    for name in ["keras3_unnamed.weights.h5", "keras3_checkpoint_dependencies.weights.h5"] {
      #expect(try digest(Self.keras(name)) == controlDigest)
    }
    try expectRefusal(Self.user("empty_group.weights.h5"))
    try expectRefusal(Self.user("empty_model.weights.h5"), "no weights")
  }

  @Test("case 14: the input's size follows from fc6, is recorded, and must be possible")
  func case14_inputSize() throws {
    let imported = try model(fixture("keras/vgg_d_digits.h5"))
    #expect(imported.network.inputExtent == Extent(side: 64))
    #expect(imported.decision("input-size")?.evidence.contains("2x2 pixels of 64 channels") == true)
    try expectRefusal(Self.user("non_square.h5"), "48 inputs = 6 pixels", "a square number")
    try expectRefusal(Self.user("no_whole_pixels.h5"), "33 inputs", "a multiple of the 8 channels")
  }

  @Test("case 15: any number of classes is accepted", arguments: [1, 2622])
  func case15_classes(_ count: Int) throws {
    try withTemporaryFolder { folder in
      let source = Self.user("classes_\(count).h5")
      // Nothing tells what is applied to a single output, and a softmax of it would be 100 % for every picture.
      if count == 1 { try expectRefusal(source, "its only output", "--head-activation sigmoid or linear") }
      try succeeding(
        "import", source, "-o", "\(folder)/m.vggw", "--head-activation", count == 1 ? "sigmoid" : "softmax")
      #expect(try json("inspect", "\(folder)/m.vggw")["classCount"]?.integer == count)
      let result = try json(
        "run", "\(folder)/m.vggw", fixture("pictures/digit_7.png"), "--top", "\(min(count, 3))")
      #expect(try #require(result["results"]?.array?.first?["top"]?.array).count == min(count, 3))
    }
  }

  @Test("case 16: where weights are published is known offline, with digests and mirrors")
  func case16_deadLinks() throws {
    let files = try #require(json("zoo", "list")["files"]?.array)
    let downloads = files.filter { $0["name"]?.string?.contains("_tf_kernels") == true }
    #expect(downloads.count == 4)
    for file in downloads {
      #expect(try #require(file["addresses"]?.array).count >= 2)
      #expect(file["digests"]?["MD5"]?.string?.count == 32 && file["bytes"]?.integer != nil)
    }
    // Without a network at all, where the system lets us take it away.
    if try CommandProcess.run("/usr/bin/unshare", ["-rn", "true"]).status == 0 {
      let isolated = try CommandProcess.run(
        "/usr/bin/unshare", ["-rn", CommandProcess.executable, "zoo", "list"])
      #expect(isolated.status == 0 && isolated.output.contains("VGG_ILSVRC_16_layers.caffemodel"))
    }
  }

  /// A download of Keras's VGG-16 without top that stopped early, as in the users' reports.
  private static func withStoppedDownload(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
      var bytes = [UInt8](try Data(contentsOf: URL(filePath: fixture("bad/control_ok.h5"))))
      // The superblock (version 0) has the end of the file at offset 40.
      for (index, byte) in withUnsafeBytes(of: UInt64(58_889_256).littleEndian, Array.init).enumerated() {
        bytes[40 + index] = byte
      }
      try writeSparse(bytes, byteCount: 21_463_040, to: path)
      try body(path)
    }
  }

  @Test("case 17: a download that stopped is seen by its length, before HDF5 is parsed")
  func case17_stoppedDownload() throws {
    try Self.withStoppedDownload { path in
      try expectRefusal(path, "36 % of it is there", "21463040 bytes", "58889256 bytes")
      let error = try #require(json("inspect", path)["error"])
      #expect(error["code"]?.string == "hdf5.truncated")
      let identified = try vggconv("zoo", "identify", path)
      #expect(identified.status == 1)
      #expect(identified.output.contains("expected 58,889,256, found 21,463,040: 36 % of it is there"))
    }
  }

  @Test("case 18: where a digest does not match, both digests and both lengths are shown, once")
  func case18_wrongDigest() throws {
    try withTemporaryFolder { folder in
      let path = "\(folder)/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
      try writeSparse([], byteCount: 58_889_256, to: path)
      let process = try vggconv("zoo", "identify", path)
      #expect(process.status == 1)
      let md5 = try CommandProcess.run("/usr/bin/md5sum", [path]).output.prefix(32)
      for part in [
        "length         expected 58,889,256, found 58,889,256",
        "MD5            expected 6d6bbae143d832006294945121d1f1fc, found \(md5)",
      ] {
        #expect(process.output.contains(part), "\(part)")
      }
      #expect(process.output.matches(of: /6d6bbae143d832006294945121d1f1fc/).count == 1)
    }
    let files = try #require(json("zoo", "list")["files"]?.array)
    let known = [
      "64373286793e3c8b2b4e3219cbf3544b", "6d6bbae143d832006294945121d1f1fc",
      "cbe5617147190e668d6c5d5026f83318", "253f8cb515780f3b799900260a226db6",
    ]
    #expect(files.compactMap { $0["digests"]?["MD5"]?.string }.filter(known.contains) == known)
  }

  @Test("case 19: no link leaves the file, no size is believed, no code is run")
  func case19_hostileFiles() throws {
    try expectRefusal(fixture("bad/external_link.h5"), "external")
    try expectRefusal(fixture("bad/soft_link_loop.h5"), "soft")
    try expectRefusal(Self.user("virtual_kernel.h5"), "other files, which are never opened")
    try expectRefusal(Self.user("external_kernel.h5"), "other files, which are never opened")
    try expectRefusal(Self.keras("bad_shape_bomb.h5"), "1099511627776")
    let trace = "/tmp/vggconv-ran-code-of-a-model"
    try expectRefusal(Self.user("code_in_config.h5"), "lambda_1")
    // Nor is it run where the layer is accepted for something harmless.
    try withTemporaryFolder { folder in
      _ = try succeeding(
        "import", Self.user("code_in_config.h5"), "--lrn", "5,0.0005,0.75,2", "-o", "\(folder)/m.vggw")
    }
    #expect(!FileManager.default.fileExists(atPath: trace))
  }
}
