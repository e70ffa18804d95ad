internal import VGGBytes
internal import VGGInterchange
internal import VGGModel
internal import VGGSources
internal import VGGTensors

/// The layers of a state dict in the order of their places, each with its tensors; nothing of the dict is left over.
struct StateDictModules {
  /// A layer with weights.
  struct Module {
    var name: String
    var place: TensorName.Place
    var tensors: [TensorName.Role: StateDict.Tensor] = [:]
    /// The tensors' names without what stands in front of all of them.
    var tensorNames: [TensorName.Role: String] = [:]
    /// The batch normalisation right behind it.
    var normalization: [TensorName.Role: StateDict.Tensor]?

    /// Whether it is a batch normalisation.
    var isNormalization: Bool { tensors[.mean] != nil || tensors[.variance] != nil }
    /// The number of the last of its modules in their list.
    var end: Int { place.number + (normalization == nil ? 0 : 1) }
  }

  /// The convolutions, then the dense layers.
  private(set) var modules: [Module] = []
  /// Whose names they are.
  let family: TensorName.Family
  /// Whether names are of the form `layer/weight`.
  let hasSlashes: Bool
  /// What belongs to codes.
  private(set) var codes: CodedTensors
  private(set) var dropped: [Provenance.DroppedTensor]

  /// Sorts the tensors by layers.
  ///
  /// - Throws: `unsupported` where there is a tensor that is none of a VGG's.
  init(_ dict: StateDict) throws(FileError) {
    let file = dict.file
    var codes = CodedTensors(file: file, metadata: dict.metadata)
    dropped = dict.dropped
    var found: [TensorName.Place: Module] = [:]
    var families: [TensorName.Family: String] = [:]
    var hasSlashes = false
    func refusal(_ tensor: StateDict.Tensor, _ problem: String, allowed: String? = nil) -> FileError {
      FileError(
        .unsupported, code: "statedict.name", file: file, problem, offset: tensor.fileOffset,
        place: "tensor \(tensor.name.prefix(200))", seen: "shape \(tensor.shape)", allowed: allowed)
    }
    for (tensor, plain) in zip(dict.tensors, TensorName.withoutPrefix(dict.tensors.map(\.name))) {
      if codes.take(tensor, named: plain) { continue }
      guard let name = TensorName(plain) else {
        throw refusal(
          tensor, "has a tensor that belongs to no layer of a VGG",
          allowed:
            "features.0.weight and classifier.0.weight as in torchvision, pre_logits.fc1.weight as in timm, "
            + "conv1_1/weight, or block1_conv1/kernel"
        ).naming(StateDictModules.foreignNetwork(dict))
      }
      guard name.role != .count else {
        dropped.append(
          Provenance.DroppedTensor(
            tensor.name, because: "counts the steps of the training; no answer depends on it"))
        continue
      }
      // With an axis of no length, the others could be of any.
      guard !tensor.shape.contains(0) else { throw refusal(tensor, "has an empty tensor") }
      if let family = name.family { families[family] = families[family] ?? tensor.name }
      hasSlashes = hasSlashes || name.hasSlash
      var module = found[name.place] ?? Module(name: name.layer, place: name.place)
      guard module.name == name.layer, module.tensors.updateValue(tensor, forKey: name.role) == nil else {
        throw refusal(tensor, "has two tensors in one place", allowed: "those of \(module.name) once")
      }
      module.tensorNames[name.role] = plain
      found[name.place] = module
    }
    guard families.count <= 1 || Set(families.keys) == [.torchvision] else {
      throw FileError(
        .unsupported, code: "statedict.name", file: file, "has names of several programs",
        seen: families.values.sorted().joined(separator: ", "), allowed: "those of one")
    }
    family = families.keys.first ?? .torchvision
    self.hasSlashes = hasSlashes
    for module in found.values.sorted(by: { $0.place < $1.place }) {
      guard module.isNormalization else {
        guard let weight = module.tensors[.weight] else {
          let tensor = module.tensors.values.first ?? dict.tensors[0]
          throw refusal(tensor, "has a layer without a weight", allowed: "\(module.name).weight")
        }
        guard [2, 4].contains(weight.shape.count), weight.shape.count == 4 || module.place.isDense else {
          throw refusal(
            weight, "has a layer that no VGG has here",
            allowed: "a weight of 4 axes, or of 2 in a dense layer")
        }
        modules.append(module)
        continue
      }
      guard let last = modules.indices.last, modules[last].place.isDense == module.place.isDense,
        modules[last].place.number + 1 == module.place.number, modules[last].normalization == nil,
        module.tensors[.mean] != nil, module.tensors[.variance] != nil
      else {
        throw refusal(
          module.tensors[.mean] ?? module.tensors.values.first ?? dict.tensors[0],
          "has a batch normalisation that is not right behind a layer with weights, or lacks a part",
          allowed: "running_mean and running_var, one place behind a convolution or dense layer")
      }
      modules[last].normalization = module.tensors
    }
    guard modules.contains(where: { !$0.place.isDense }) else {
      throw FileError(
        .unsupported, code: "statedict.empty", file: file, "has no convolutions",
        seen: "\(dict.tensors.count) tensors", allowed: "the layers of a VGG")
    }
    try codes.requireUse(by: Set(modules.flatMap(\.tensorNames.values)))
    self.codes = codes
  }

  /// Which other network has these kernels.
  private static func foreignNetwork(_ dict: StateDict) -> ForeignNetwork? {
    let kernels = dict.tensors.filter { $0.shape.count == 4 }.map(\.shape)
    return ForeignNetwork(
      kernels: kernels.map {
        ForeignNetwork.Kernel(outputs: $0[0], inputs: $0[1], height: $0[2], width: $0[3])
      },
      hasDense: dict.tensors.contains { $0.shape.count == 2 })
  }
}
