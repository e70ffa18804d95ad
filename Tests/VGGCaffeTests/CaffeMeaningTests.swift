import Testing
import VGGBytes
import VGGCaffe
import VGGModel

@testable import CaffeTestSupport

/// Nets that compute something else than they seem.
@Suite struct CaffeMeaningTests {
  /// The last axis is that of the classes only behind what gives a vector.
  @Test(arguments: [(-1, nil), (1, nil), (-2, "caffe.layer.settings"), (2, "caffe.layer.settings")])
  func softmaxesAreOverClasses(_ axis: Int, _ code: String?) throws {
    var net = TestNet()
    net.change("prob") {
      $0.extra.message(125, Message { $0.varint(2, axis) })
    }
    if let code {
      let error = try #require(throws: FileError.self) { try net.model() }
      #expect((error.code, error.place) == (code, "layer prob"))
    } else {
      #expect(try net.model().network == TestNet().model().network)
    }
  }

  @Test(arguments: [TestNet.Generation.v1, .v2])
  func blobsOfOneNameAreOne(_ generation: TestNet.Generation) throws {
    var net = TestNet(generation)
    func share(_ layer: String, _ name: String) {
      net.change(layer) {
        if generation == .v1 {
          $0.extra.text(1001, name)
        } else {
          $0.extra.message(6, Message { $0.text(1, name) })
        }
      }
    }
    share("conv5_1", "w5")
    share("conv5_2", "w6")
    #expect(try net.model().network == TestNet().model().network)
    share("conv5_2", "w5")
    let error = try #require(throws: FileError.self) { try net.model() }
    #expect((error.code, error.place) == ("caffe.shared", "layer conv5_2"))
    #expect(error.seen == "param 'w5', as in layer conv5_1")
  }

  @Test func prototxtsShareBlobsToo() throws {
    var text = PrototxtTests.text()
    for name in ["conv5_1", "conv5_2"] {
      text = text.replacing(
        "layer { name: \"\(name)\"", with: "layer { param { name: \"w\" lr_mult: 1 } name: \"\(name)\"")
    }
    let error = try #require(throws: FileError.self) { try PrototxtTests.bare.model(prototxt: text) }
    #expect(error.code == "caffe.shared")
  }

  @Test func dropoutsLeaveTheMapAsItIs() throws {
    for scales in [1, 0] {
      var net = TestNet()
      net.change("drop6") { $0.extra.message(108, Message { $0.varint(2, scales) }) }
      if scales == 1 {
        #expect(try net.model().network == TestNet().model().network)
      } else {
        let error = try #require(throws: FileError.self) { try net.model() }
        #expect((error.code, error.place) == ("caffe.layer.settings", "layer drop6"))
      }
    }
  }
}
