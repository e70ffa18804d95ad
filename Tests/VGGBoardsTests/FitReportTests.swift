import Testing
import VGGBoards
import VGGModel
import VGGTensors

@Suite struct FitReportTests {
  @Test func boardsAreSortedAndSane() {
    let names = Board.known.map(\.name)
    #expect(names == names.sorted() && Set(names).count == names.count)
    for board in Board.known {
      #expect(board.name.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || "-.".contains($0)) })
      #expect(!board.ram.isEmpty && (board.flash + board.ram).allSatisfy { $0.byteCount % 1024 == 0 })
      #expect(Board.named(board.name.uppercased()) == board)
    }
    #expect(Board.named("abacus") == nil)
  }

  // MARK: Places

  private func needs(_ weights: Int, _ rest: Int, _ arena: Int, _ stack: Int) -> BoardNeeds {
    BoardNeeds(
      weightByteCount: weights, tableByteCount: rest, codeByteCount: 0, arenaByteCount: arena,
      stackByteCount: stack)
  }

  @Test func weightsAndArenaLieInOnePiece() {
    var limits = BoardLimits()
    limits.flash = [Board.Memory("small", byteCount: 100), Board.Memory("large", byteCount: 1000)]
    limits.ram = [Board.Memory("fast", byteCount: 60), Board.Memory("slow", byteCount: 64)]
    let placed = BoardPlacement(of: needs(1000, 100, 64, 60), in: limits)
    #expect(placed.flash == .memory("large") && placed.ram == .memory("slow") && placed.fits)
    // As many bytes altogether, but not in one piece; nor is there room twice in the same one.
    let split = BoardPlacement(of: needs(1001, 99, 65, 59), in: limits)
    #expect(split.flash == .none(missing: 1) && split.ram == .none(missing: 1) && !split.fits)
    #expect(BoardPlacement(of: needs(950, 101, 1, 1), in: limits).flash == .none(missing: 1))
  }

  @Test func whatIsNotKnownIsNotRefused() {
    let placed = BoardPlacement(of: needs(1000, 100, 64, 60), in: BoardLimits(flash: 1100))
    #expect(placed.flash == .memory("flash") && placed.ram == .unknown && placed.fits)
  }

  @Test func withoutFlashEverythingIsInRAM() throws {
    let board = try #require(Board.known.first { $0.flash.isEmpty })
    #expect(BoardPlacement(of: needs(1000, 100, 64, 60), in: BoardLimits(board: board)).fits)
    let limits = BoardLimits(board: board, ram: 1200)
    #expect(BoardPlacement(of: needs(1000, 100, 64, 36), in: limits).fits)
    #expect(BoardPlacement(of: needs(1000, 100, 64, 37), in: limits).ram.isMissing)
  }

  @Test func weightsThatAreReadTakeNoFlash() {
    var needs = needs(1000, 100, 64, 60)
    #expect(needs.flashByteCount == 1100 && needs.ramByteCount == 124)
    needs.readsWeights = true
    #expect(needs.flashByteCount == 100)
    #expect(BoardPlacement(of: needs, in: BoardLimits(flash: 100, ram: 124)).fits)
  }

  // MARK: Networks

  private let vgg16: Network

  init() throws { vgg16 = try Network(.d) }

  @Test func workIsWhatThePaperCounts() throws {
    let work = try vgg16.boardWork(for: Extent(side: 224))
    #expect(work.map(\.kernel) == BoardWork.Kernel.allCases)
    #expect(work.map(\.operationCount) == [15_346_630_656, 123_633_664, 6_121_472, 1000])
  }

  @Test func cyclesAreARangeAndGrowWithWork() throws {
    let board = try #require(Board.named("stm32f4-discovery"))
    let work = [BoardWork(kernel: .convolution, operationCount: 1_000_000, outputCount: 5000)]
    let small = CycleEstimate(of: work, on: board.processor)
    let seconds = small.seconds(atHertz: board.clockHertz)
    #expect(seconds.lowerBound < seconds.upperBound && seconds.lowerBound > 0)
    #expect(
      small.cycleCount.lowerBound
        == small.instructionCount * board.processor.cyclesPerInstruction.lowerBound)
    // Wider kernels take fewer instructions for the same.
    let counts = [Processor.cortexM0Plus, .cortexM4, .cortexM55].map {
      CycleEstimate(of: work, on: $0).instructionCount
    }
    #expect(counts == counts.sorted(by: >))
  }

  @Test func remediesSaveWhatIsMissing() throws {
    func report(_ flash: Int, _ ram: Int) throws -> FitReport {
      try FitReport(
        of: vgg16, for: Extent(side: 224), as: BoardBuild(processor: .cortexM4),
        in: BoardLimits(flash: flash, ram: ram))
    }
    let enough = try report(200 << 20, 200 << 20)
    #expect(enough.fits && enough.remedies.isEmpty)
    // Less flash than the weights take, but more than those of the convolutions.
    let flash = try report(100 << 20, 200 << 20)
    #expect(!flash.fits && flash.placement.flash.isMissing && !flash.placement.ram.isMissing)
    // The longest row of weights is that of a convolution of 3 x 3 x 512.
    #expect(
      flash.remedies.map(\.step) == [.readWeights(window: 5120), .pruneDense(fraction: 0.5), .dropDense])
    #expect(flash.remedies.allSatisfy { $0.placement.fits })
    #expect(flash.remedies[0].needs.flashByteCount < 20_000)
    #expect((0...5120).contains(flash.remedies[0].needs.ramByteCount - flash.needs.ramByteCount))
    // Half of the dense weights, and a bit for each.
    let saved = flash.needs.weightByteCount - flash.remedies[1].needs.weightByteCount
    #expect((0.36...0.39).contains(Double(saved) / 123_633_664), "\(saved)")
    // Less RAM than the smallest arena: nothing that exists helps.
    let memory = try report(200 << 20, flash.needs.ramByteCount / 3)
    #expect(memory.placement.ram.isMissing && memory.remedies.isEmpty)
  }

  @Test(arguments: [Architecture.a, .aLRN, .d], [32, 96])
  func smallestPlanIsTheFirstOfTheFront(_ architecture: Architecture, _ side: Int) throws {
    let network = try Network(architecture, inputExtent: Extent(side: side), widths: [8, 16, 32, 64, 64])
    let layers = try BoardLayer.layers(of: network, for: Extent(side: side))
    for window in [0, 8192] {
      let front = BoardPlan.front(of: layers, windowByteCount: window)
      #expect(BoardPlan.smallest(of: layers, windowByteCount: window) == front.first && !front.isEmpty)
    }
  }

  @Test func impossibleMemoryHasNoRemedy() throws {
    let report = try FitReport(
      of: vgg16, for: Extent(side: 224), as: BoardBuild(processor: .cortexM4),
      in: BoardLimits(flash: 0, ram: 0))
    #expect(!report.fits && report.remedies.allSatisfy { !$0.placement.fits })
  }
}
