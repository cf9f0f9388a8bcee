/**
 * Addresses, as the protocol counts them.
 *
 * All are plain numbers: a user address is below 2^47 and fits exactly. Kernel pointers are identities, not addresses;
 * they stay strings at the edges and become small ids inside. Ranges are half open.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A host virtual address in bytes, or {@link KVM_HVA_ERR_BAD}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Hva = Schema.Int.annotate({ identifier: "Hva" })

/**
 * A guest physical address in bytes, or {@link INVALID_GPA}.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Gpa = Schema.Int.annotate({ identifier: "Gpa" })

/**
 * A guest frame number (a guest physical address in pages).
 *
 * @category schemas
 * @since 0.1.0
 */
export const Gfn = Schema.Int.annotate({ identifier: "Gfn" })

/**
 * A host page frame number, {@link NO_PFN} or {@link KVM_PFN_ERR_FAULT}. In a simulation it names one life of a
 * frame: a frame that is freed and allocated again gets another number, so that a stale one can be told.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Pfn = Schema.Int.annotate({ identifier: "Pfn" })

/** `KVM_HVA_ERR_BAD` (include/linux/kvm_host.h): no host address. @category constants @since 0.1.0 */
export const KVM_HVA_ERR_BAD = -1

/** `INVALID_GPA` (include/linux/kvm_types.h): a GPC that is given by host address. @category constants @since 0.1.0 */
export const INVALID_GPA = -1

/** `KVM_PFN_ERR_FAULT` (include/linux/kvm_host.h): the pfn of a GPC that maps nothing. @category constants @since 0.1.0 */
export const KVM_PFN_ERR_FAULT = -1

/** No frame at all: an empty page table entry, an empty register. @category constants @since 0.1.0 */
export const NO_PFN = 0

/** One past the highest user address (2^47): the end of a range over the whole mm. @category constants @since 0.1.0 */
export const TASK_SIZE = 0x8000_0000_0000

/**
 * Writes an address as the kernel does.
 *
 * @category formatting
 * @since 0.1.0
 */
export const hex = (address: number): string => address < 0 ? "ERR" : `0x${address.toString(16)}`
