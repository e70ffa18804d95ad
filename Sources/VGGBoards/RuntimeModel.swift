internal import CVGGRuntime

/// A model in memory as a package's `model.c` has it, to be run here.
final class RuntimeModel {
  private let layers: UnsafeMutableBufferPointer<vggrt_layer>
  private let maps: UnsafeMutableBufferPointer<vggrt_map>
  private let groups: UnsafeMutableBufferPointer<vggrt_group>
  private var tables: [UnsafeMutableRawPointer] = []
  /// The model. It is valid as long as this object is.
  let model: UnsafeMutablePointer<vggrt_model>

  init(_ board: BoardModel) {
    layers = .allocate(capacity: board.records.count)
    maps = .allocate(capacity: board.maps.count)
    groups = .allocate(capacity: board.groups.count)
    model = .allocate(capacity: 1)
    _ = maps.initialize(from: board.maps)
    _ = groups.initialize(from: board.groups)
    model.initialize(to: board.numbers)
    for (index, layer) in board.records.enumerated() {
      var record = layer.record
      record.table = layer.table.map { UnsafeRawPointer(copy($0)) }
      layers.initializeElement(at: index, to: record)
    }
    model.pointee.layers = UnsafePointer(layers.baseAddress)
    model.pointee.maps = UnsafePointer(maps.baseAddress)
    model.pointee.groups = UnsafePointer(groups.baseAddress)
    model.pointee.plan_crc32 = vggrt_plan_crc32(model)
  }

  deinit {
    layers.deallocate()
    maps.deallocate()
    groups.deallocate()
    model.deallocate()
    for table in tables { table.deallocate() }
  }

  /// Takes the digest of the image's bytes.
  func sign(_ image: UnsafeRawBufferPointer) {
    withUnsafeMutableBytes(of: &model.pointee.weights_digest) { digest in
      guard model.pointee.has_sha256 == 1 else {
        let crc = vggrt_crc32(0, image.baseAddress, image.count)
        digest.storeBytes(of: crc.littleEndian, as: UInt32.self)
        return
      }
      var sha = vggrt_sha256()
      vggrt_sha256_begin(&sha)
      vggrt_sha256_add(&sha, image.baseAddress, image.count)
      vggrt_sha256_end(&sha, digest.assumingMemoryBound(to: UInt8.self).baseAddress)
    }
  }

  private func copy(_ table: ModelSource.Table) -> UnsafeMutableRawPointer {
    func copy<Element>(_ elements: [Element]) -> UnsafeMutableRawPointer {
      let memory = elements.withUnsafeBytes { bytes in
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
        memory.copyMemory(from: bytes)
        return memory
      }
      guard let start = memory.baseAddress else { preconditionFailure("a table has elements") }
      tables.append(start)
      return start
    }
    return switch table {
    case .exponentials(let numbers): copy(numbers)
    case .integerExponentials(let numbers): copy(numbers)
    case .lookup(let codes): copy(codes)
    case .normalization(let normalization): copy([normalization])
    }
  }
}
