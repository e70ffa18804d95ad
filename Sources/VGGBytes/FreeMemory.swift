internal import CMemoryFaults

/// Gives the system back memory that was freed and is kept for later: what comes next may need it in one piece.
package func returnFreeMemory() { cmf_return_free_memory() }
