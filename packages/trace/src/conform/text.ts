/**
 * Test support: small traces, written record by record as the probes of Linux 6.12 write them.
 *
 * @since 0.1.0
 */

/** A trace being written; every record is a microsecond after the one before. */
export interface TraceText {
  readonly lines: Array<string>
  readonly by: (pid: number, record: string) => void
}

const KVM = "0xffffc90000001000"
const MN = "0xffffc90000002a90"

export const traceText = (): TraceText => {
  const lines = ["# tracer: nop"]
  return {
    lines,
    by: (pid, record) => {
      const us = String(1_000_000 + lines.length).padStart(7, "0")
      const head = `            task-${String(pid).padEnd(7)} [000] .....    ${us.slice(0, -6)}.${us.slice(-6)}: `
      lines.push(head + record)
    }
  }
}

export const gpcPointer = (n: number): string => `0xffff8881000000${n.toString(16).padStart(2, "0")}`

const hex = (n: number): string => n < 0 ? "0xffffffffffffffff" : `0x${n.toString(16)}`

/** An address that is none, as the kernel has it. */
const BAD_HVA = "0xffff888000000000"

/** A whole invalidation; `slots` is where memslots overlap it: the guest frame, or none. */
export const invalidate = (
  t: TraceText,
  pid: number,
  range: {
    readonly start: number
    readonly pages?: number
    readonly gfn?: number
    readonly hits?: ReadonlyArray<number>
  },
  seq = 0
): void => {
  const { gfn, hits = [], pages = 1, start } = range
  const end = start + pages * 4096
  const span = `start=${hex(start)} end=${hex(end)}`
  t.by(pid, `inv_start: (f+0x4/0x3d0 [kvm]) mn=${MN} ${span} flags=1 event=1 active=0 seq=${seq}`)
  t.by(pid, `inv_inc: (f+0x7c/0x3d0 [kvm]) kvm=${KVM} active=1 ${span}`)
  t.by(pid, `gpc_inval: (f+0x4/0xe0 [kvm]) kvm=${KVM} ${span}`)
  for (const gpc of hits) {
    t.by(pid, `gpc_inval_hit: (f+0xcd/0xe0 [kvm]) gpc=${gpcPointer(gpc)} uhva=${hex(start)} pfn=0x1`)
  }
  t.by(pid, `gpc_inval_ret: (f+0x95/0x3d0 [kvm] <- g) kvm=${KVM}`)
  const hull = gfn === undefined ? "" : `hull_start=${hex(gfn)} hull_end=${hex(gfn + pages)}`
  if (gfn !== undefined) {
    const frames = `gfn_start=${hex(gfn)} gfn_end=${hex(gfn + pages)}`
    t.by(pid, `unmap_gfn: (f+0x4/0xb0 [kvm]) kvm=${KVM} slot=0xffff888100a22800 ${frames} in_prog=1 ${hull} seq=${seq}`)
  }
  t.by(pid, `inv_start_ret: (f+0x84/0x1e0 <- g) mn=${MN} ret=0`)
  t.by(pid, `inv_end: (f+0x4/0x1d0 [kvm]) mn=${MN} ${span} event=1 active=1 seq=${seq}`)
  if (gfn !== undefined) t.by(pid, `mmu_inval_end: (f+0x4/0x70 [kvm]) kvm=${KVM} seq=${seq} in_prog=1 ${hull}`)
  t.by(pid, `inv_dec: (f+0xfe/0x1d0 [kvm]) kvm=${KVM} active=0 seq=${gfn === undefined ? seq : seq + 1}`)
  t.by(pid, `inv_end_ret: (f+0x54/0x90 <- g) mn=${MN}`)
}

/** How a refresh goes on after its entry. */
export interface RefreshText {
  readonly gpc: number
  readonly gpa: number
  readonly uhva: number
  readonly generation?: number
  readonly oldGpa?: number
  readonly oldGeneration?: number
  readonly seq?: number
  /** `published`, `kept`, `unmapped` (no memslot), `failed` (no page). */
  readonly how?: "published" | "kept" | "unmapped" | "failed"
}

/** A whole refresh, of one lap where it looks the page up. */
export const refresh = (t: TraceText, pid: number, r: RefreshText): void => {
  const { generation = 2, gpa, gpc, how = "published", oldGeneration = generation, oldGpa = gpa, seq = 0, uhva } = r
  const pointer = gpcPointer(gpc)
  const old = `old_gpa=${hex(oldGpa)} old_uhva=${oldGpa < 0 && gpa >= 0 ? BAD_HVA : hex(uhva)}`
  const generations = `gen=${hex(oldGeneration)} slots_gen=${hex(generation)}`
  const given = gpa < 0 ? hex(uhva) : BAD_HVA
  t.by(
    pid,
    `refresh: (f+0x0/0x420 [kvm]) gpc=${pointer} gpa=${hex(gpa)} uhva_arg=${given} ${old} ${generations} pfn=0x1`
  )
  if (how === "kept") t.by(pid, `gpc_keep: (f+0x362/0x420 [kvm]) gpc=${pointer} uhva=${hex(uhva)} pfn=0x1`)
  if (how === "published" || how === "failed") {
    t.by(pid, `gpc_snap: (f+0x17b/0x420 [kvm]) gpc=${pointer} uhva=${hex(uhva)} snap=${seq} active=0`)
    if (how === "published") {
      t.by(pid, `gpc_pfn: (f+0x1d5/0x420 [kvm]) gpc=${pointer} pfn=0x1043`)
      t.by(pid, `gpc_recheck: (f+0x23c/0x420 [kvm]) gpc=${pointer} snap=${seq} active=0 seq=${seq} pfn=0x1043`)
      t.by(pid, `gpc_commit: (f+0x3e1/0x420 [kvm]) gpc=${pointer} uhva=${hex(uhva)} pfn=0x1043 snap=${seq}`)
    } else {
      t.by(pid, `gpc_pfn: (f+0x1d5/0x420 [kvm]) gpc=${pointer} pfn=0x7ff0000000000000`)
      t.by(pid, `gpc_err: (f+0x2bd/0x420 [kvm]) gpc=${pointer} pfn=0x7ff0000000000000`)
    }
  }
  const ret = how === "unmapped" || how === "failed" ? -14 : 0
  t.by(pid, `refresh_ret: (f+0x4f/0x90 [kvm] <- g) gpc=${pointer} ret=${ret}`)
}

export const check = (t: TraceText, pid: number, gpc: number, ok: boolean): void =>
  t.by(pid, `check: (f+0xb8/0x3f0 [kvm] <- g) gpc=${gpcPointer(gpc)} uhva=0x0 valid=${ok ? 1 : 0} ret=${ok ? 1 : 0}`)

/** An activation with its first refresh; `active`: the cache was active already, and gets another address. */
export const activate = (t: TraceText, pid: number, r: RefreshText & { readonly active?: boolean }): void => {
  const { active = false, gpa, gpc, uhva } = r
  const where = `gpa=${hex(gpa)} uhva=${gpa < 0 ? hex(uhva) : BAD_HVA}`
  t.by(pid, `activate: (f+0x0/0x150 [kvm]) gpc=${gpcPointer(gpc)} ${where} len=64 active=${active ? 1 : 0}`)
  refresh(t, pid, { ...r, oldGpa: r.oldGpa ?? -1 })
  t.by(pid, `activate_ret: (f+0x2dc/0x5f0 [kvm] <- g) gpc=${gpcPointer(gpc)} ret=0`)
}

export const deactivate = (t: TraceText, pid: number, gpc: number, active = true): void => {
  const state = `gpa=0x0 uhva=0x0 active=${active ? 1 : 0} valid=0`
  t.by(pid, `deactivate: (f+0x4/0x120 [kvm]) gpc=${gpcPointer(gpc)} ${state}`)
  t.by(pid, `deactivate_ret: (f+0x177/0x5a0 [kvm] <- g) gpc=${gpcPointer(gpc)}`)
}

/** A memslot update from generation `from`, after `waits` rounds of sleeping. */
export const swapSlots = (t: TraceText, pid: number, from: number, waits = 0): void => {
  t.by(pid, `swap_slots: (f+0x0/0x180 [kvm]) kvm=${KVM} as_id=0 active=0`)
  for (let i = 0; i < waits; i++) t.by(pid, `swap_wait: (f+0xc0/0x180 [kvm]) kvm=${KVM} active=1`)
  const marked = `0x8${from.toString(16).padStart(15, "0")}`
  t.by(pid, `swap_publish: (f+0x118/0x180 [kvm]) kvm=${KVM} active=0 newgen=${marked}`)
  t.by(pid, `swap_slots_ret: (f+0x35b/0x640 [kvm] <- g) kvm=${KVM} gen=${hex(from + 2)}`)
}
