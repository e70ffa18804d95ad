import TestSupport
import Testing

/// Imports a fixture and hands on the model's path and its folder.
func withModel(
  _ name: String = "keras/vgg_d_digits.h5", _ extra: [String] = [], _ body: (String, String) throws -> Void
) throws {
  try withTemporaryFolder { folder in
    let model = "\(folder)/model.vggw"
    let imported = try CommandProcess.run(["import", fixture(name), "-o", model] + extra)
    try #require(imported.status == 0, "\(imported.errors)")
    try body(model, folder)
  }
}
