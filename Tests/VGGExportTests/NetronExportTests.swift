import JSONKit
import TestSupport
import Testing
import VGGBytes
import VGGConv
import VGGExport
import VGGModel
import VGGTensors

@Suite("Graphs for Netron")
struct NetronExportTests {
  private func document(_ model: Model) throws -> (text: [UInt8], json: JSONValue) {
    try withTemporaryFolder { folder in
      let path = "\(folder)/a.netron"
      try model.export(to: .netron, at: path)
      let text = try bytes(of: path)
      return (text, try JSONValue(parsing: text))
    }
  }

  @Test(
    "All layers, in a chain from input to output, with the shapes of maps and weights",
    arguments: Architecture.allCases)
  func chain(architecture: Architecture) throws {
    let network = try Network(
      architecture, inputExtent: Extent(side: 32), widths: [1, 2, 2, 3, 3], denseWidths: [5, 4, 3])
    let model = try Model(
      network: network,
      tensors: network.tensorRequirements.map {
        Tensor(
          name: $0.name, role: $0.role, shape: $0.shape,
          values: MemoryValues(Array(repeating: 1, count: $0.shape.reduce(1, *))))
      }, preprocessing: nil,
      provenance: Provenance(sourceName: "x", sourceByteCount: 1, format: "test", generation: "test"))
    let (text, json) = try document(model)
    // Netron looks for this in the first 64 bytes.
    #expect(String(decoding: text.prefix(64), as: UTF8.self).hasPrefix("{\"signature\": \"netron:"))
    let graph = try #require(json["graphs"]?.array?.first)
    let nodes = try #require(graph["nodes"]?.array)
    #expect(nodes.compactMap { $0["name"]?.string } == network.layers.map(\.name))
    var previous = "input"
    for node in nodes {
      #expect(node["inputs"]?.array?.first?["value"]?.array?.first?.string == previous)
      previous = try #require(node["outputs"]?.array?.first?["value"]?.array?.first?.string)
    }
    #expect(graph["outputs"]?.array?.first?["value"]?.array?.first?.string == previous)
    let values = try #require(graph["arguments"]?.array)
    func shape(_ name: String) -> [Int]? {
      let value = values.first { $0["name"]?.string == name }
      let type = value?["type"] ?? value?["initializer"]?["type"]
      return type?["shape"]?["dimensions"]?.array?.compactMap(\.integer)
    }
    for requirement in network.tensorRequirements { #expect(shape(requirement.name) == requirement.shape) }
    for (layer, output) in zip(network.layers, try network.outputShapes(for: Extent(side: 32))) {
      #expect(shape(layer.name) == [output.extent.height, output.extent.width, output.channels])
    }
  }
}
