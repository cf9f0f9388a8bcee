/**
 * First in, first out, over one array.
 *
 * @since 0.1.0
 */
export type Task = () => void

const COMPACT_AT = 1024

/** Both operations are O(1), amortised. */
export class TaskQueue {
  private tasks: Array<Task> = []
  private head = 0

  get length(): number {
    return this.tasks.length - this.head
  }

  push(task: Task): void {
    this.tasks.push(task)
  }

  shift(): Task | undefined {
    if (this.head === this.tasks.length) return undefined
    const task = this.tasks[this.head++]
    if (this.head === this.tasks.length) {
      this.tasks.length = 0
      this.head = 0
    } else if (this.head >= COMPACT_AT && this.head * 2 > this.tasks.length) {
      this.tasks = this.tasks.slice(this.head)
      this.head = 0
    }
    return task
  }
}
