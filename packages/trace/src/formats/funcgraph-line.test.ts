import { assert, describe, it } from "@effect/vitest"
import { bytesOf, decode } from "../reading/text.ts"
import { emptyGraphLine, readGraphLine } from "./funcgraph-line.ts"

/** Time, CPU, task, duration, depth, and what is said. */
const read = (text: string) => {
  const bytes = bytesOf(text)
  const graph = emptyGraphLine()
  const rejection = readGraphLine(bytes, 0, bytes.length, graph)
  if (rejection !== undefined) return rejection
  const piece = (from: number, to: number) => decode(bytes, from, to)
  if (graph.form === "switch") return ["switch", graph.cpu, piece(graph.commFrom, graph.commTo), graph.pid]
  return [
    graph.form,
    graph.timed ? graph.seconds + graph.nanos / 1e9 : undefined,
    graph.cpu,
    graph.pid < 0 ? undefined : `${piece(graph.commFrom, graph.commTo)}-${graph.pid}`,
    graph.duration,
    graph.depth,
    piece(graph.nameFrom, graph.nameTo),
    piece(graph.bodyFrom, graph.bodyTo),
    piece(graph.valueFrom, graph.valueTo)
  ]
}

describe("a line of function_graph", () => {
  it.each([
    ["a call begins", " 0)               |  sys_open() {", [
      "open",
      undefined,
      0,
      undefined,
      -1,
      0,
      "sys_open",
      "",
      ""
    ]],
    ["deeper", " 0)   1.382 us    |          __might_sleep();", [
      "leaf",
      undefined,
      0,
      undefined,
      1382,
      4,
      "__might_sleep",
      "",
      ""
    ]],
    ["a long one ends, with its name", " 3) # 1889.063 us |        } /* __schedule */", [
      "close",
      undefined,
      3,
      undefined,
      1889063,
      3,
      "__schedule",
      "",
      ""
    ]],
    ["the task", " 0)    sh-4802     |   0.616 us    |                        rcu_process_gp_end();", [
      "leaf",
      undefined,
      0,
      "sh-4802",
      616,
      11,
      "rcu_process_gp_end",
      "",
      ""
    ]],
    ["the time", "360.774522 |   1)   0.541 us    |          }", [
      "close",
      360.774522,
      1,
      undefined,
      541,
      4,
      "",
      "",
      ""
    ]],
    ["time and task", "360.774522 |   1)   CPU 0/K-4802  |               |  kvm_gpc_refresh [kvm]() {", [
      "open",
      360.774522,
      1,
      "CPU 0/K-4802",
      -1,
      0,
      "kvm_gpc_refresh",
      "",
      ""
    ]],
    ["the irq column", "360.774522 |   1)   sh-4802  |  d..1. |   0.5 us   |  kvm_gpc_check();", [
      "leaf",
      360.774522,
      1,
      "sh-4802",
      500,
      0,
      "kvm_gpc_check",
      "",
      ""
    ]],
    ["a value", " 1)   0.651 us    |      cgroup_migrate_add_task(); /* = 0xffff93fcfd346c00 */", [
      "leaf",
      undefined,
      1,
      undefined,
      651,
      2,
      "cgroup_migrate_add_task",
      "",
      "0xffff93fcfd346c00"
    ]],
    ["a value and the name", " 1)   2.335 us    |        } /* cpu_cgroup_can_attach = -22 */", [
      "close",
      undefined,
      1,
      undefined,
      2335,
      3,
      "cpu_cgroup_can_attach",
      "",
      "-22"
    ]],
    ["a value of 6.13", " 1)   2.335 us    |        } /* kvm_gpc_check [kvm] ret=0x1 */", [
      "close",
      undefined,
      1,
      undefined,
      2335,
      3,
      "kvm_gpc_check",
      "",
      "0x1"
    ]],
    ["a value alone", " 1)   2.335 us    |        } /* ret=0x1 */", [
      "close",
      undefined,
      1,
      undefined,
      2335,
      3,
      "",
      "",
      "0x1"
    ]],
    [
      "where it returns to",
      " 1)   2.335 us    |  kvm_gpc_check(); /* <-kvm_xen_shared_info_init+0x71/0x140 ret=0x0 */",
      [
        "leaf",
        undefined,
        1,
        undefined,
        2335,
        0,
        "kvm_gpc_check",
        "",
        "0x0"
      ]
    ],
    [
      "arguments",
      " 1)               |  __kvm_gpc_refresh(gpc=0xffffc90000406670, gpa=33554432, uhva=0xffff888000000000) {",
      [
        "open",
        undefined,
        1,
        undefined,
        -1,
        0,
        "__kvm_gpc_refresh",
        "gpc=0xffffc90000406670, gpa=33554432, uhva=0xffff888000000000",
        ""
      ]
    ],
    ["a suffix of the compiler", " 1)               |  hva_to_pfn.part.0 [kvm]() {", [
      "open",
      undefined,
      1,
      undefined,
      -1,
      0,
      "hva_to_pfn.part.0",
      "",
      ""
    ]],
    ["an event", " 0)               |    /* kvm_unmap_hva_range: mmu notifier unmap range: 0x1 -- 0x2 */", [
      "event",
      undefined,
      0,
      undefined,
      -1,
      1,
      "",
      "kvm_unmap_hva_range: mmu notifier unmap range: 0x1 -- 0x2",
      ""
    ]],
    ["an event that ends early", " 0)               |    /* tracing_mark_write: */ 1) | } */", [
      "event",
      undefined,
      0,
      undefined,
      -1,
      1,
      "",
      "tracing_mark_write: */ 1) | }",
      ""
    ]],
    ["a name like columns", "360.774522 |   1)  a-5 | x-4802  |               |  kvm_gpc_refresh() {", [
      "open",
      360.774522,
      1,
      "a-5 | x-4802",
      -1,
      0,
      "kvm_gpc_refresh",
      "",
      ""
    ]],
    ["another task", " 1)   bash-10    =>   <idle>-0   ", ["switch", 1, "<idle>", 0]],
    ["another task with arrows", " 1)  a => b-10    =>  x => y-11 ", ["switch", 1, "x => y", 11]],
    ["a rule", " ------------------------------------------", "decoration"],
    ["an interrupt", " 0)   ==========> |", "decoration"],
    ["an interrupt's end", " 0)   <========== |", "decoration"],
    ["no CPU", "               |  sys_open() {", "no CPU"],
    ["no call", " 0)               |  this is no call", "no call"],
    ["no end of the arguments", " 0)               |  sys_open(", "no call"],
    ["something behind the call", " 0)               |  sys_open(); x", "no call"]
  ])("%s", (_name, text, expected) => {
    assert.deepStrictEqual(read(text), expected as ReturnType<typeof read>)
  })
})
