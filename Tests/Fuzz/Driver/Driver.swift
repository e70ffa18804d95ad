import FuzzTargets
import Glibc

/// The target, from the environment: libFuzzer keeps the arguments for itself.
private let target: FuzzTarget = {
  let name = getenv("VGGCONV_FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget(rawValue: name) else {
    let names = FuzzTarget.allCases.map(\.rawValue).joined(separator: ", ")
    print("VGGCONV_FUZZ_TARGET is '\(name)'; allowed: \(names)")
    exit(64)
  }
  return target
}()

/// What libFuzzer calls with each input.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ bytes: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
  _ = target.accepts(UnsafeBufferPointer(start: bytes, count: count))
  return 0
}
