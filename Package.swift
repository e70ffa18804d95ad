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
    // What reads files, for Tests/Fuzz.
    .library(
      name: "VGGConv",
      targets: [
        "VGGKeras", "VGGCaffe", "VGGFile", "VGGInterchange", "VGGPictures", "VGGArchive", "VGGHDF5",
        "JSONKit",
        "VGGModel",
      ]),
  ],
  targets: [
    // The command, from the top down: a module imports only modules listed below it.
    .executableTarget(name: "vggconv", dependencies: ["VGGCommands"], swiftSettings: swiftSettings),
    module(
      "VGGCommands", "CommandLineKit", "VGGZoo", "VGGKeras", "VGGCaffe", "VGGCompress", "VGGVerify",
      "VGGEngine", "VGGFile", "VGGPictures", "VGGInterchange", "VGGHDF5", "JSONKit", "VGGModel",
      "CMemoryFaults"),
    module("CommandLineKit"),
    module("VGGZoo", "VGGModel", "CCrypto"),
    module("VGGVerify", "VGGEngine", "VGGModel"),
    module("VGGCompress", "VGGModel", "CVGGKernels"),
    module("VGGEngine", "VGGModel", "CVGGKernels"),
    module("VGGKeras", "VGGHDF5", "VGGArchive", "JSONKit", "VGGModel"),
    module("VGGCaffe", "VGGHDF5", "CCaffe", "VGGModel"),
    module("VGGFile", "VGGModel", "CVGGKernels", "CVGGManifest", "CCrypto"),
    module("VGGInterchange", "VGGArchive", "JSONKit", "VGGModel"),
    module("VGGPictures", "VGGModel", "CPNG", "CJPEG"),
    module("VGGHDF5", "CHDF5", "VGGModel"),
    module("VGGArchive", "CZip", "VGGModel"),
    module("JSONKit", "CJansson"),
    module("VGGModel", "CMemoryFaults"),

    // C: kernels, generated code, and shims of C libraries.
    .target(name: "CVGGKernels", cSettings: [.treatAllWarnings(as: .error)]),
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
      name: "TestSupport", dependencies: ["VGGModel"], path: "Tests/TestSupport", swiftSettings: swiftSettings
    ),
    .target(
      name: "CaffeTestSupport", dependencies: ["TestSupport", "VGGCaffe", "VGGModel"],
      path: "Tests/CaffeTestSupport", swiftSettings: swiftSettings),
    tests("CommandLineKitTests", "CommandLineKit"),
    tests("VGGZooTests", "VGGZoo", "VGGModel"),
    tests("VGGModelTests", "VGGModel"),
    tests("VGGHDF5Tests", "VGGHDF5"),
    tests("VGGKerasTests", "VGGKeras", "JSONKit", "VGGModel"),
    tests("VGGCaffeTests", "VGGCaffe", "CaffeTestSupport"),
    tests("VGGFileTests", "VGGFile", "VGGCompress"),
    tests("VGGInterchangeTests", "VGGInterchange", "VGGPictures", "VGGArchive", "JSONKit", "VGGModel"),
    tests("VGGEngineTests", "VGGEngine", "CVGGKernels", "VGGKeras", "VGGCaffe", "VGGInterchange"),
    tests("VGGCompressTests", "VGGCompress", "VGGModel"),
    tests("VGGVerifyTests", "VGGVerify", "VGGCompress", "VGGEngine", "VGGModel"),
    tests(
      "UserCaseTests", "CaffeTestSupport", "VGGCommands", "VGGCaffe", "VGGEngine", "VGGHDF5", "VGGFile",
      "VGGInterchange", "JSONKit"),
    .testTarget(
      name: "FuzzTests",
      dependencies: [
        "TestSupport", "VGGKeras", "VGGCaffe", "VGGFile", "VGGInterchange", "VGGPictures", "VGGArchive",
        "VGGHDF5",
        "JSONKit", "VGGModel",
      ],
      path: "Tests/Fuzz",
      exclude: [
        "Package.swift", "Driver", "Corpus", "Dictionaries", "FailCases", "fuzz.sh", "make_corpus.py",
      ], sources: ["Targets", "Replay"],
      swiftSettings: testSettings),
    tests("CommandTests", "VGGCommands", "VGGEngine", "VGGFile", "JSONKit", "VGGInterchange", "VGGModel"),
  ],
  swiftLanguageModes: [.v6]
)
