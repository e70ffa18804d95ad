internal import VGGBytes
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// What the grammar has against a graph, in the words of ONNX.
extension ONNXChain {
  func error(_ refusal: GrammarRefusal) -> FileError {
    let error = self.refusal(refusal)
    guard error.kind == .unsupported else { return error }
    return error.naming(foreignNetwork)
  }

  private func refusal(_ refusal: GrammarRefusal) -> FileError {
    guard let index = refusal.layer else { return withoutConvolutions }
    let node = elements[index].node
    switch refusal.reason {
    case .refused(let error): return error
    case .noConvolutions: return withoutConvolutions
    case .misplaced(let seen, let allowed), .normalization(let seen, let allowed):
      return structure(node, seen: seen, allowed: allowed)
    case .setting(let setting, let allowed):
      return structure(node, seen: elements[index].settings, allowed: "\(setting) \(allowed)")
    case .reducedHead:
      return structure(
        node, seen: GrammarRefusal.reducedHeadProblem, allowed: GrammarRefusal.allowedHeadConvolution,
        advice: GrammarRefusal.reducedHeadAdvice)
    case .unflattened:
      return structure(
        node, seen: "a map", allowed: "a Flatten or Reshape in front of the first dense layer")
    case .activation(let allowed):
      return structure(
        node, seen: node.type, allowed: allowed.map(\.rawValue).joined(separator: ", "))
    case .noActivation(let next):
      return structure(
        node, seen: next.map { "no Relu between it and \(elements[$0].node.name)" } ?? "no Relu behind it",
        allowed: "a Relu behind each convolution")
    case .behindEnd(let activation, _):
      return structure(
        node, seen: "\(node.type) behind \(elements[activation].node.name)", allowed: "nothing there")
    case .unknownNormalizationPlace: preconditionFailure("a graph has all of its layers")
    }
  }

  private var withoutConvolutions: FileError {
    file.unsupported(
      "noweights", "has no convolutions", place: "the graph", seen: "\(graph.model.nodes.count) nodes",
      allowed: "the layers of a VGG network")
  }

  /// The network that the convolutions of all nodes are, whatever way they are connected; nil: none that is known.
  private var foreignNetwork: ForeignNetwork? {
    var kernels: [ForeignNetwork.Kernel] = []
    for node in graph.model.nodes where node.type == "Conv" {
      guard let name = node.input(1), let constant = try? graph.constant(name), constant.shape.count == 4
      else {
        return nil
      }
      kernels.append(
        ForeignNetwork.Kernel(
          outputs: constant.shape[0], inputs: constant.shape[1], height: constant.shape[2],
          width: constant.shape[3]))
    }
    return ForeignNetwork(
      kernels: kernels, hasDense: graph.model.nodes.contains { $0.type == "Gemm" || $0.type == "MatMul" })
  }
}

extension ChainElement {
  /// What the window of a convolution is.
  fileprivate var settings: String {
    guard case .convolution(let window) = neutral.operation else { return node.type }
    let (kernel, padding) = (window.kernel ?? Extent(side: 0), window.padding ?? Extent(side: 0))
    return "kernel \(kernel), padding \(padding), stride \(window.stride), dilation \(window.dilation), "
      + "groups \(window.groups)"
  }
}
