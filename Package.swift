// swift-tools-version: 6.2
import PackageDescription

/// Settings of every Swift target: one place, so that no module is checked less strictly than another.
let swiftSettings: [SwiftSetting] = [
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .treatAllWarnings(as: .error),
]

func module(_ name: String, _ dependencies: Target.Dependency..., exclude: [String] = []) -> Target {
  .target(name: name, dependencies: dependencies, exclude: exclude, swiftSettings: swiftSettings)
}

/// Optimised builds are about the code under test; optimising the tests too would take longer than everything else.
let testSettings = swiftSettings + [.unsafeFlags(["-Onone"], .when(configuration: .release))]

func tests(_ name: String, _ dependencies: Target.Dependency...) -> Target {
  .testTarget(
    name: name, dependencies: ["TestSupport"] + dependencies, swiftSettings: testSettings)
}

func systemLibrary(_ name: String, pkgConfig: String, debian package: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

let package = Package(
  name: "vggconv",
  products: [
    .executable(name: "vggconv", targets: ["vggconv"]),
    // VGGConv is the library; the others have the types of its values, and what Tests/Fuzz reads files with.
    .library(
      name: "VGGConv",
      targets: [
        "VGGConv", "VGGZoo", "VGGExport", "VGGKeras", "VGGCaffe", "VGGONNX", "VGGTFLite", "VGGTorch",
        "VGGNative",
        "VGGSources", "VGGInterchange", "VGGPictures", "VGGArchive", "VGGProtobuf", "VGGFlatBuffers",
        "VGGHDF5", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes",
      ]),
  ],
  targets: [
    // The command, from the top down: a module imports only modules listed below it.
    .executableTarget(
      name: "vggconv", dependencies: ["VGGCommands", "CMemoryFaults"], swiftSettings: swiftSettings),
    module(
      "VGGCommands", "CommandLineKit", "VGGConv", "VGGBoards", "VGGZoo", "VGGExport", "VGGVerify",
      "VGGCompress", "VGGEngine",
      "VGGNative", "VGGSources", "VGGPictures", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes"),
    module("CommandLineKit"),
    module(
      "VGGConv", "VGGBoards", "VGGZoo", "VGGVerify", "VGGCompress", "VGGEngine", "VGGExport", "VGGKeras",
      "VGGCaffe", "VGGONNX", "VGGTFLite", "VGGTorch", "VGGNative",
      "VGGSources", "VGGInterchange", "VGGPictures", "VGGHDF5", "VGGArchive", "VGGModel", "VGGTensors",
      "VGGBytes"),
    module(
      "VGGBoards", "VGGEngine", "VGGExport", "VGGModel", "VGGTensors", "VGGBytes", "CVGGRuntime", "CVGGRules"),
    module("VGGZoo", "VGGModel", "VGGBytes", "CCrypto"),
    module("VGGVerify", "VGGEngine", "VGGModel", "VGGTensors", "VGGBytes", "CVGGKernels", "CVGGRules"),
    module("VGGCompress", "VGGEngine", "VGGModel", "VGGTensors", "VGGBytes", "CVGGKernels", "CCrypto"),
    module("VGGEngine", "VGGModel", "VGGTensors", "VGGBytes", "CVGGKernels", "CVGGRules"),
    module(
      "VGGExport", "VGGInterchange", "VGGProtobuf", "VGGFlatBuffers", "VGGHDF5", "VGGArchive", "JSONKit",
      "VGGModel", "VGGTensors", "VGGBytes"),
    module(
      "VGGONNX", "VGGSources", "VGGInterchange", "VGGProtobuf", "VGGModel", "VGGTensors", "VGGBytes"),
    module(
      "VGGKeras", "VGGSources", "VGGHDF5", "VGGArchive", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes"),
    module(
      "VGGCaffe", "VGGSources", "VGGProtobuf", "VGGHDF5", "VGGModel", "VGGTensors", "VGGBytes", "CCaffe"),
    module(
      "VGGTFLite", "VGGSources", "VGGInterchange", "VGGFlatBuffers", "JSONKit", "VGGModel", "VGGTensors",
      "VGGBytes"),
    module(
      "VGGTorch", "VGGSources", "VGGInterchange", "VGGArchive", "VGGModel", "VGGTensors", "VGGBytes"),
    module(
      "VGGNative", "VGGModel", "VGGTensors", "VGGBytes", "CVGGKernels", "CVGGRules", "CVGGManifest", "CCrypto"
    ),
    module("VGGSources", "VGGModel", "VGGTensors", "VGGBytes"),
    module("VGGInterchange", "VGGArchive", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes"),
    module("VGGPictures", "VGGModel", "VGGTensors", "VGGBytes", "CPNG", "CJPEG"),
    module("VGGProtobuf", "VGGTensors", "VGGBytes"),
    module("VGGHDF5", "VGGTensors", "VGGBytes", "CHDF5"),
    module("VGGFlatBuffers", "VGGTensors", "VGGBytes"),
    module("VGGArchive", "VGGTensors", "VGGBytes", "CZip"),
    module("JSONKit", "CJansson"),
    module("VGGModel", "VGGTensors", "VGGBytes"),
    module("VGGTensors", "VGGBytes", "CVGGKernels", "CVGGRules"),
    module("VGGBytes", "CMemoryFaults"),

    // C: kernels, rules, generated code, and shims of C libraries.
    .target(
      name: "CVGGKernels", dependencies: ["CVGGRules"], cSettings: [.treatAllWarnings(as: .error)]),
    .target(
      name: "CVGGRuntime", dependencies: ["CVGGRules"], exclude: ["package"],
      cSettings: [.treatAllWarnings(as: .error)]),
    .target(name: "CVGGRules", cSettings: [.treatAllWarnings(as: .error)]),
    .target(name: "CMemoryFaults", cSettings: [.treatAllWarnings(as: .error)]),
    .target(name: "CHDF5", cSettings: [.treatAllWarnings(as: .error)]),
    .target(name: "CCaffe", dependencies: ["CProtobufC"]),
    .target(name: "CVGGManifest", dependencies: ["CProtobufC"]),
    systemLibrary("CProtobufC", pkgConfig: "libprotobuf-c", debian: "libprotobuf-c-dev"),
    systemLibrary("CCrypto", pkgConfig: "libcrypto", debian: "libssl-dev"),
    systemLibrary("CZip", pkgConfig: "libzip", debian: "libzip-dev"),
    systemLibrary("CJansson", pkgConfig: "jansson", debian: "libjansson-dev"),
    systemLibrary("CPNG", pkgConfig: "libpng", debian: "libpng-dev"),
    systemLibrary("CJPEG", pkgConfig: "libturbojpeg", debian: "libturbojpeg0-dev"),

    // Tests mirror the modules.
    .target(
      name: "TestSupport", dependencies: [], path: "Tests/TestSupport", swiftSettings: swiftSettings
    ),
    .target(
      name: "CaffeTestSupport",
      dependencies: ["TestSupport", "VGGCaffe", "VGGSources", "VGGModel", "VGGBytes"],
      path: "Tests/CaffeTestSupport", swiftSettings: swiftSettings),
    .target(
      name: "ModelTestSupport", dependencies: ["TestSupport", "VGGModel", "VGGTensors", "VGGBytes"],
      path: "Tests/ModelTestSupport", swiftSettings: swiftSettings),
    .target(
      name: "BoardTestSupport", dependencies: ["CVGGRuntime", "CVGGKernels", "CVGGRules"],
      path: "Tests/Boards/RandomModels", cSettings: [.treatAllWarnings(as: .error)]),
    tests("CommandLineKitTests", "CommandLineKit"),
    tests(
      "VGGConvTests", "VGGConv", "VGGZoo", "VGGVerify", "VGGCompress", "VGGEngine", "VGGNative",
      "VGGInterchange",
      "VGGModel",
      "VGGTensors",
      "VGGBytes"),
    tests(
      "VGGBoardsTests", "ModelTestSupport", "VGGBoards", "VGGModel", "VGGTensors", "VGGBytes"),
    tests("VGGZooTests", "VGGZoo", "VGGModel", "VGGBytes"),
    tests("CVGGRulesTests", "CVGGRules"),
    tests("CVGGRuntimeTests", "BoardTestSupport", "CVGGRuntime"),
    tests("VGGBytesTests", "VGGBytes"),
    tests("VGGTensorsTests", "VGGTensors", "VGGBytes"),
    tests("VGGSourcesTests", "VGGSources", "VGGModel", "VGGTensors", "VGGBytes"),
    tests("VGGModelTests", "VGGModel", "VGGTensors"),
    tests("VGGProtobufTests", "VGGProtobuf", "VGGTensors", "VGGBytes"),
    tests("VGGHDF5Tests", "VGGHDF5", "VGGTensors", "VGGBytes"),
    tests("VGGKerasTests", "VGGKeras", "VGGSources", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes"),
    tests(
      "VGGONNXTests", "ModelTestSupport", "VGGEngine", "VGGExport", "VGGONNX", "VGGSources", "VGGInterchange",
      "VGGProtobuf", "VGGModel", "VGGTensors", "VGGBytes"),
    tests(
      "VGGCaffeTests", "CaffeTestSupport", "VGGCaffe", "VGGSources", "VGGModel", "VGGTensors", "VGGBytes"),
    tests(
      "VGGTorchTests", "VGGConv", "VGGExport", "VGGEngine", "VGGTorch", "VGGSources", "VGGInterchange",
      "VGGModel",
      "VGGTensors", "VGGBytes"),
    tests("VGGNativeTests", "ModelTestSupport", "VGGNative", "VGGModel", "VGGTensors", "VGGBytes"),
    tests("VGGFlatBuffersTests", "VGGFlatBuffers", "VGGTensors", "VGGBytes"),
    tests(
      "VGGTFLiteTests", "ModelTestSupport", "VGGExport", "VGGTFLite", "VGGSources", "VGGFlatBuffers",
      "VGGModel",
      "VGGTensors", "VGGBytes"),
    tests("JSONKitTests", "JSONKit"),
    tests("VGGArchiveTests", "VGGArchive", "VGGTensors", "VGGBytes"),
    tests("VGGPicturesTests", "VGGPictures", "VGGInterchange", "VGGModel", "VGGTensors", "VGGBytes"),
    tests("VGGInterchangeTests", "VGGInterchange", "VGGModel", "VGGTensors", "VGGBytes"),
    tests(
      "VGGExportTests", "ModelTestSupport", "VGGConv", "VGGVerify", "VGGExport", "VGGSources",
      "VGGInterchange", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes"),
    tests(
      "VGGEngineTests", "ModelTestSupport", "VGGEngine", "VGGKeras", "VGGCaffe", "VGGSources",
      "VGGInterchange", "VGGModel",
      "VGGTensors", "VGGBytes", "CVGGKernels", "CVGGRules"),
    tests("VGGCompressTests", "VGGCompress", "VGGEngine", "VGGModel", "VGGTensors", "VGGBytes"),
    tests("VGGVerifyTests", "VGGVerify", "VGGCompress", "VGGEngine", "VGGModel", "VGGTensors", "VGGBytes"),
    tests(
      "UserCaseTests", "CaffeTestSupport", "VGGConv", "VGGEngine", "VGGCaffe", "VGGNative", "VGGSources",
      "VGGInterchange", "VGGHDF5", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes"),
    .testTarget(
      name: "FuzzTests",
      dependencies: [
        "TestSupport", "VGGConv", "VGGKeras", "VGGCaffe", "VGGONNX", "VGGTFLite", "VGGTorch", "VGGNative",
        "VGGSources",
        "VGGInterchange",
        "VGGPictures", "VGGHDF5", "VGGArchive", "JSONKit", "VGGModel", "VGGTensors", "VGGBytes",
      ],
      path: "Tests/Fuzz",
      exclude: [
        "Package.swift", "Driver", "Corpus", "Dictionaries", "FailCases", "fuzz.sh", "make_corpus.py",
      ], sources: ["Targets", "Replay"],
      swiftSettings: testSettings),
    tests(
      "CommandTests", "VGGConv", "VGGEngine", "VGGNative", "VGGSources", "VGGInterchange", "JSONKit",
      "VGGModel", "VGGTensors", "VGGBytes"),
  ],
  swiftLanguageModes: [.v6]
)
