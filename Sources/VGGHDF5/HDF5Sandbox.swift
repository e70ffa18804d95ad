internal import CHDF5
internal import VGGBytes

/// What keeps hostile HDF5 files from doing harm: the process that parses them may do nothing but compute.
public enum HDF5Sandbox {
  /// Why the system does not provide it, nil where it does.
  public static func failure() -> String? {
    let reason = chdf5_probe_sandbox()
    return reason == 0 ? nil : "the system refuses to filter system calls: \(systemMessage(reason))"
  }
}
