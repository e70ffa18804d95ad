import Testing
import VGGModel
import VGGTensors

@Suite struct OutputShapeTests {
  private func side(_ input: Int, _ change: (inout Pooling) -> Void) throws(ShapeError) -> Int {
    var pooling = Pooling(rounding: .ceiling)
    change(&pooling)
    let layer = Layer(name: "pool1", operation: .pooling(pooling))
    return try layer.outputShape(for: FeatureShape(extent: Extent(side: input), channels: 2)).extent.width
  }

  /// The largest of no pixels is no number; a window that has only a part of the map is one.
  @Test func everyWindowHasAPixel() throws {
    for (input, kernel, stride, windows) in [(5, 1, 2, 3), (65, 2, 3, 22), (6, 2, 2, 3), (7, 3, 2, 3)] {
      #expect(
        try side(input) { ($0.kernel, $0.stride) = (Extent(side: kernel), Extent(side: stride)) } == windows)
    }
    for (input, kernel, stride, padding) in [(4, 1, 2, 0), (66, 2, 3, 0), (8, 1, 1, 1), (8, 2, 2, 3)] {
      let error = try #require(throws: ShapeError.self) {
        try side(input) {
          ($0.kernel, $0.stride) = (Extent(side: kernel), Extent(side: stride))
          $0.padding = Extent(side: padding)
        }
      }
      #expect(error.problem.contains("beside the map"))
    }
  }

  /// With padding, Caffe leaves out a last window that would begin behind the map.
  @Test func aWindowBehindPaddingIsLeftOut() throws {
    #expect(
      try side(4) {
        ($0.kernel, $0.stride) = (Extent(side: 2), Extent(side: 2))
        $0.padding = Extent(side: 1)
      } == 3)
  }
}
