import Foundation
import TestSupport
import Testing

/// Where the system provides no filter of system calls, a user is told, and can ask for a refusal.
@Suite struct SandboxTests {
  /// Runs the words behind it under a filter that refuses `prctl(PR_SET_SECCOMP)`, as some containers do.
  private static let withoutSandbox = """
    import ctypes, os, platform, struct, sys
    number, arch = {"x86_64": (157, 0xC000003E), "aarch64": (167, 0xC00000B7)}[platform.machine()]
    def op(code, jt, jf, k): return struct.pack("<HBBI", code, jt, jf, k)
    program = op(0x20, 0, 0, 0) + op(0x15, 0, 3, number) + op(0x20, 0, 0, 16) + op(0x15, 0, 1, 22) \\
        + op(0x06, 0, 0, 0x00050001) + op(0x06, 0, 0, 0x7FFF0000)
    libc = ctypes.CDLL(None)
    code = ctypes.create_string_buffer(program)
    class Program(ctypes.Structure): _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_void_p)]
    filter = Program(len(program) // 8, ctypes.addressof(code))
    assert libc.prctl(38, 1, 0, 0, 0) == 0
    assert libc.prctl(22, 2, ctypes.byref(filter)) == 0
    os.execv(sys.argv[1], sys.argv[1:])
    """

  private func run(_ command: [String], in folder: String) throws -> CommandProcess {
    try CommandProcess.run(
      #require(pythonInterpreter), ["-c", Self.withoutSandbox, CommandProcess.executable] + command,
      in: folder)
  }

  private static let source = fixture("keras/vgg_a_digits.h5")
  private static let picture = fixture("pictures/digit_7.png")
  private static let commands: [[String]] = [
    ["import", source, "-o", "new.vggw"], ["inspect", source], ["summary", source],
    ["run", source, picture], ["evaluate", source, fixture("digits_test.npz")],
    ["verify", source, source], ["export", source, "--to", "npz", "-o", "new.npz"],
    ["bench", source, "--repeat", "1"], ["zoo", "identify", source],
  ]

  @Test(.enabled(if: pythonInterpreter != nil)) func missingSandboxIsSaidOnce() throws {
    for command in Self.commands {
      try withTemporaryFolder { folder in
        let process = try run(command, in: folder)
        #expect(process.status == 0, "\(command): \(process.errors)")
        let notes = process.errorLines.filter { $0.contains("was read without a sandbox") }
        #expect(!notes.isEmpty && Set(notes).count == 1, "\(command): \(process.errors)")
        #expect(notes.count == (command[0] == "verify" ? 2 : 1), "\(command)")
        #expect(notes.allSatisfy { $0.contains("Operation not permitted") })
      }
    }
  }

  @Test(.enabled(if: pythonInterpreter != nil)) func itCanBeRequired() throws {
    for command in Self.commands {
      try withTemporaryFolder { folder in
        let refused = try run(command + ["--require-sandbox"], in: folder)
        #expect(refused.status == 69 && refused.output.isEmpty, "\(command): \(refused.errors)")
        #expect(refused.errors.contains("without a sandbox") && refused.errorLines.count == 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
        // Where there is one, nothing is said of it.
        let process = try CommandProcess.run(command + ["--require-sandbox"], in: folder)
        #expect(process.status == 0 && !process.errors.contains("sandbox"), "\(command): \(process.errors)")
      }
    }
  }

  /// What is no HDF5 needs none.
  @Test(.enabled(if: pythonInterpreter != nil)) func otherFilesNeedNone() throws {
    try withTemporaryFolder { folder in
      let source = fixture("caffe/vgg_d_digits.caffemodel")
      let process = try run(["inspect", source, "--require-sandbox"], in: folder)
      #expect(process.status == 0 && !process.errors.contains("sandbox"), "\(process.errors)")
    }
  }
}
