// swift-tools-version: 6.2
import PackageDescription

// The fuzzer: a package of its own, because its program has the main function of libFuzzer and is of no use without.
// `fuzz.sh` builds and runs it. The functions under test are in `Targets`, which the tests of the root package share.
let package = Package(
  name: "vggconv-fuzz",
  dependencies: [.package(name: "vggconv", path: "../..")],
  targets: [
    .executableTarget(name: "fuzz", dependencies: ["FuzzTargets"], path: "Driver"),
    .target(
      name: "FuzzTargets", dependencies: [.product(name: "VGGConv", package: "vggconv")], path: "Targets",
      swiftSettings: [
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"),
      ]),
  ],
  swiftLanguageModes: [.v6]
)
