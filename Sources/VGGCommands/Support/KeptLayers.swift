/// What `--keep` says: the layers that a change of precision leaves as they are.
enum KeptLayers: Sendable {
  /// Those of these names.
  case named([String])
  /// Those that it would harm most.
  case auto
}
