internal import VGGBytes
internal import VGGEngine
internal import VGGModel
internal import VGGTensors

/// Pictures of a folder, preprocessed as the model says.
struct FolderPictures: PictureStore {
  private let folder: PictureFolder
  private let reader: InputReader
  var count: Int { folder.pictures.count }

  /// Takes the pictures of a folder for a model.
  init(_ folder: PictureFolder, reader: InputReader) throws(FileError) {
    _ = try reader.requiredPreprocessing(folder.path)
    (self.folder, self.reader) = (folder, reader)
  }

  func batch(_ range: Range<Int>) throws(FileError) -> FeatureMap {
    let pictures = try Workers.current.map(range.count) { (index) throws(FileError) in
      try reader.picture(MappedFile(path: folder.pictures[range.lowerBound + index].path)).batch
    }
    let shape = pictures[0].shape
    if let other = pictures.firstIndex(where: { $0.shape != shape }) {
      throw FileError(
        .unsupported, code: "data.extent", file: folder.pictures[range.lowerBound + other].path,
        "has another size than the pictures before it, and the model takes any",
        seen: "\(pictures[other].shape.extent.width)x\(pictures[other].shape.extent.height)",
        allowed: "\(shape.extent.width)x\(shape.extent.height)", advice: "give pictures of one size")
    }
    let values = pictures.flatMap { picture in picture.withValues { Array($0) } }
    return try FeatureMap(of: values, count: range.count, shape, file: folder.path)
  }

  func labels(classCount: Int, names: [String]) throws(FileError) -> PictureLabels {
    guard !folder.folders.isEmpty else {
      throw FileError(
        .malformed, code: "data.labels", file: folder.path, "does not say what its pictures show",
        allowed: "one sub-folder for each class, or an .npz file with labels")
    }
    let (classes, rule) = try folderClasses(classCount: classCount, names: names)
    return PictureLabels(classes: folder.pictures.map { classes[$0.folder] }, rule: rule)
  }

  /// The class of each sub-folder.
  private func folderClasses(
    classCount: Int, names: [String]
  ) throws(FileError) -> ([Int], PictureLabels.Rule) {
    let folders = folder.folders
    let numbers = folders.compactMap { name in
      name.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(name) : nil
    }
    let areNumbers = numbers.count == folders.count && Set(numbers).count == numbers.count
    if !names.isEmpty {
      let places = folders.map { name in
        names.indices.filter { names[$0] == name || names[$0] == name.replacing("_", with: " ") }
      }
      if places.allSatisfy({ $0.count == 1 }), Set(places).count == places.count {
        return (places.map { $0[0] }, .names)
      }
      if let index = places.firstIndex(where: { $0.count > 1 }) {
        throw mismatch("has a sub-folder whose name is that of several classes", seen: folders[index])
      }
      if !areNumbers, !folders.allSatisfy(isWordNetIdentifier) {
        let index = places.firstIndex(where: \.isEmpty)
        throw mismatch(
          index == nil
            ? "has two sub-folders for one class" : "has a sub-folder that is no class of the model",
          seen: folders[index ?? 0],
          allowed: names.prefix(5).joined(separator: ", ") + (names.count > 5 ? " and others" : ""))
      }
    }
    if areNumbers, numbers.allSatisfy((0..<classCount).contains) { return (numbers, .numbers) }
    guard folders.count == classCount else {
      throw mismatch(
        "has another number of sub-folders than the model has classes", seen: "\(folders.count)",
        allowed: "\(classCount)",
        advice: "give a sub-folder for each class, or the model names for its classes with 'import --labels'")
    }
    let order =
      areNumbers ? folders.indices.sorted { numbers[$0] < numbers[$1] } : Array(folders.indices)
    var classes = Array(repeating: 0, count: classCount)
    for (place, index) in order.enumerated() { classes[index] = place }
    return (classes, .order(order.map { folders[$0] }))
  }

  /// `n01440764`: ImageNet's classes are in the order of these, and models call them by words.
  private func isWordNetIdentifier(_ name: String) -> Bool {
    name.utf8.count == 9 && name.hasPrefix("n")
      && name.utf8.dropFirst().allSatisfy { (0x30...0x39).contains($0) }
  }

  private func mismatch(
    _ problem: String, seen: String, allowed: String? = nil, advice: String? = nil
  ) -> FileError {
    FileError(
      .malformed, code: "data.labels", file: folder.path, problem, seen: seen, allowed: allowed,
      advice: advice)
  }
}
