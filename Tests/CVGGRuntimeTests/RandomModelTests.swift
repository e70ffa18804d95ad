import BoardTestSupport
import Testing

/// The runtime of boards on this machine; `make test-boards` runs the same models on emulated ones. Models have one place each, so one is
/// tested after the other.
@Suite(.serialized) struct RandomModelTests {
  @Test func layersGiveTheCodesOfTheirDefinition() {
    #expect(random_products_check(0, 2000) == 2000)
  }

  @Test(arguments: 0..<4) func modelsGiveTheCodesOfTheReference(part: UInt32) {
    var problem: UnsafePointer<CChar>?
    let count = random_models_check(part * 1000, 250, &problem)
    #expect(count == 250, "model \(part * 1000 + count) \(problem.map { String(cString: $0) } ?? "")")
  }

  @Test(arguments: [0, 100, 200] as [UInt32]) func whatIsNotTheModelIsRefused(number: UInt32) {
    #expect(random_models_check_refusals(number).map { String(cString: $0) } == nil)
  }
}
