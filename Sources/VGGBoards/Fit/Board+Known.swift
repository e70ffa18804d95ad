extension Board {
  /// Well-known boards, in the order of their names; `schemas/boards.json` holds the same.
  ///
  /// What one datasheet says in kilobytes are multiples of 1024 bytes. RAM is left out that no data can be in, as that of caches.
  public static let known: [Board] = [
    Board(
      name: "alif-ensemble-e7", title: "Alif Ensemble E7 DevKit (AE722F80F55D5), Cortex-M55 HP",
      processor: .cortexM55, clockHertz: 400_000_000,
      flash: [Memory("MRAM", byteCount: 5632 << 10)],
      ram: [
        Memory("DTCM", byteCount: 1024 << 10), Memory("SRAM0", byteCount: 4096 << 10),
        Memory("SRAM1", byteCount: 2560 << 10),
      ],
      source: "Alif Semiconductor: Ensemble E7 Series Datasheet"),
    Board(
      name: "arduino-nano-33-ble", title: "Arduino Nano 33 BLE (nRF52840)",
      processor: .cortexM4, clockHertz: 64_000_000,
      flash: [Memory("flash", byteCount: 1024 << 10)], ram: [Memory("RAM", byteCount: 256 << 10)],
      source:
        "Arduino: ABX00030 Product Reference Manual; Nordic Semiconductor: nRF52840 Product Specification"),
    Board(
      name: "bbc-microbit-v2", title: "BBC micro:bit V2 (nRF52833)",
      processor: .cortexM4, clockHertz: 64_000_000,
      flash: [Memory("flash", byteCount: 512 << 10)], ram: [Memory("RAM", byteCount: 128 << 10)],
      source:
        "Micro:bit Educational Foundation: hardware; Nordic Semiconductor: nRF52833 Product Specification"),
    Board(
      name: "esp32-c3-devkitm-1", title: "ESP32-C3-DevKitM-1 (ESP32-C3-MINI-1)",
      processor: .riscV32, clockHertz: 160_000_000,
      flash: [Memory("SPI flash", byteCount: 4096 << 10)], ram: [Memory("SRAM1", byteCount: 384 << 10)],
      source: "Espressif: ESP32-C3 Series Datasheet; ESP32-C3 Technical Reference Manual; ESP32-C3-DevKitM-1"),
    Board(
      name: "esp32-s3-devkitc-1", title: "ESP32-S3-DevKitC-1-N8R8 (ESP32-S3-WROOM-1)",
      processor: .xtensaLX7, clockHertz: 240_000_000,
      flash: [Memory("SPI flash", byteCount: 8192 << 10)],
      ram: [
        Memory("SRAM1", byteCount: 416 << 10), Memory("SRAM2", byteCount: 64 << 10),
        Memory("PSRAM", byteCount: 8192 << 10, isExternal: true),
      ],
      source: "Espressif: ESP32-S3 Series Datasheet; ESP32-S3 Technical Reference Manual; ESP32-S3-DevKitC-1"),
    Board(
      name: "mimxrt1060-evk", title: "NXP MIMXRT1060-EVK (MIMXRT1062)",
      processor: .cortexM7, clockHertz: 600_000_000,
      flash: [
        Memory("QSPI flash", byteCount: 8192 << 10, isExternal: true),
        Memory("HyperFlash", byteCount: 65536 << 10, isExternal: true),
      ],
      ram: [
        Memory("FlexRAM", byteCount: 512 << 10), Memory("OCRAM", byteCount: 512 << 10),
        Memory("SDRAM", byteCount: 32768 << 10, isExternal: true),
      ],
      source: "NXP: IMXRT1060CEC data sheet; MIMXRT1060 Evaluation Kit Board Hardware User's Guide"),
    Board(
      name: "mps3-an547", title: "Arm MPS3 with AN547 (Corstone SSE-300), also qemu's",
      processor: .cortexM55, clockHertz: 32_000_000, flash: [],
      ram: [
        Memory("DTCM", byteCount: 512 << 10), Memory("SRAM", byteCount: 4096 << 10),
        Memory("DDR", byteCount: 2 << 30, isExternal: true),
      ],
      source: "Arm: DAI 0547, Application Note AN547; qemu-system-arm 7.2, machine mps3-an547"),
    Board(
      name: "nrf5340-dk", title: "Nordic nRF5340 DK, application core",
      processor: .cortexM33, clockHertz: 128_000_000,
      flash: [
        Memory("flash", byteCount: 1024 << 10), Memory("QSPI flash", byteCount: 8192 << 10, isExternal: true),
      ],
      ram: [Memory("RAM", byteCount: 512 << 10)],
      source: "Nordic Semiconductor: nRF5340 Product Specification; nRF5340 DK Hardware"),
    Board(
      name: "nucleo-h743zi", title: "ST NUCLEO-H743ZI2 (STM32H743ZI)",
      processor: .cortexM7, clockHertz: 480_000_000,
      flash: [Memory("flash", byteCount: 2048 << 10)],
      ram: [
        Memory("DTCM", byteCount: 128 << 10), Memory("AXI SRAM", byteCount: 512 << 10),
        Memory("SRAM1 to SRAM3", byteCount: 288 << 10), Memory("SRAM4", byteCount: 64 << 10),
      ],
      source: "STMicroelectronics: DS12110, STM32H742xI/G STM32H743xI/G; UM2407"),
    Board(
      name: "raspberry-pi-pico", title: "Raspberry Pi Pico (RP2040)",
      processor: .cortexM0Plus, clockHertz: 133_000_000,
      flash: [Memory("QSPI flash", byteCount: 2048 << 10, isExternal: true)],
      ram: [Memory("SRAM", byteCount: 264 << 10)],
      source: "Raspberry Pi: Pico Datasheet; RP2040 Datasheet"),
    Board(
      name: "raspberry-pi-pico-2", title: "Raspberry Pi Pico 2 (RP2350, as Arm)",
      processor: .cortexM33, clockHertz: 150_000_000,
      flash: [Memory("QSPI flash", byteCount: 4096 << 10, isExternal: true)],
      ram: [Memory("SRAM", byteCount: 520 << 10)],
      source: "Raspberry Pi: Pico 2 Datasheet; RP2350 Datasheet"),
    Board(
      name: "raspberry-pi-zero-2-w", title: "Raspberry Pi Zero 2 W (RP3A0), Linux",
      processor: .cortexA53, clockHertz: 1_000_000_000, flash: [],
      ram: [Memory("SDRAM", byteCount: 512 << 20, isExternal: true)],
      source: "Raspberry Pi: Zero 2 W Product Brief"),
    Board(
      name: "seeed-xiao-samd21", title: "Seeed Studio XIAO SAMD21 (ATSAMD21G18)",
      processor: .cortexM0Plus, clockHertz: 48_000_000,
      flash: [Memory("flash", byteCount: 256 << 10)], ram: [Memory("SRAM", byteCount: 32 << 10)],
      source: "Microchip: DS40001882, SAM D21/DA1 Family Data Sheet"),
    Board(
      name: "stm32f4-discovery", title: "ST STM32F4DISCOVERY (STM32F407VG)",
      processor: .cortexM4, clockHertz: 168_000_000,
      flash: [Memory("flash", byteCount: 1024 << 10)],
      ram: [
        Memory("CCM", byteCount: 64 << 10), Memory("SRAM1 and SRAM2", byteCount: 128 << 10),
      ],
      source: "STMicroelectronics: DS8626, STM32F405xx STM32F407xx; UM1472"),
    Board(
      name: "stm32f746g-disco", title: "ST STM32F746G-DISCO (STM32F746NG)",
      processor: .cortexM7, clockHertz: 216_000_000,
      flash: [
        Memory("flash", byteCount: 1024 << 10),
        Memory("QSPI flash", byteCount: 16384 << 10, isExternal: true),
      ],
      ram: [
        Memory("DTCM, SRAM1 and SRAM2", byteCount: 320 << 10),
        Memory("SDRAM", byteCount: 8192 << 10, isExternal: true),
      ],
      source: "STMicroelectronics: DS10916, STM32F745xx STM32F746xx; UM1907"),
    Board(
      name: "teensy-4.1", title: "PJRC Teensy 4.1 (MIMXRT1062)",
      processor: .cortexM7, clockHertz: 600_000_000,
      flash: [Memory("QSPI flash", byteCount: 7936 << 10, isExternal: true)],
      ram: [Memory("RAM1 (FlexRAM)", byteCount: 512 << 10), Memory("RAM2 (OCRAM)", byteCount: 512 << 10)],
      source: "PJRC: Teensy 4.1 Development Board; NXP: IMXRT1060CEC data sheet"),
  ]

  /// The board of a name, nil where none of the known ones has it.
  public static func named(_ name: String) -> Board? { known.first { $0.name == name.lowercased() } }
}
