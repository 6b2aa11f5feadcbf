// Events between the socket and a `for await`: bounded, and telling when it is full and when it has room again.

export class EventQueue<T> implements AsyncIterableIterator<T> {
  private items: T[] = [];
  private first = 0;
  private waiting: { resolve: (result: IteratorResult<T>) => void; reject: (error: unknown) => void } | null = null;
  private ended = false;
  private failure: unknown = null;
  private isFull = false;

  constructor(
    private readonly size: number,
    private readonly onFull: () => void,
    private readonly onRoom: () => void,
    private readonly onReturn: () => void,
  ) {}

  push(item: T): void {
    if (this.ended) return;
    if (this.waiting) {
      const { resolve } = this.waiting;
      this.waiting = null;
      return resolve({ value: item, done: false });
    }
    this.items.push(item);
    if (!this.isFull && this.items.length - this.first >= this.size) {
      this.isFull = true;
      this.onFull();
    }
  }

  /** No more comes; what is queued is still handed out, and then the failure, if there is one. */
  end(failure: unknown = null): void {
    if (this.ended) return;
    this.ended = true;
    this.failure = failure;
    if (!this.waiting) return;
    const { resolve, reject } = this.waiting;
    this.waiting = null;
    if (failure === null) resolve({ value: undefined, done: true });
    else reject(failure);
  }

  next(): Promise<IteratorResult<T>> {
    if (this.first < this.items.length) {
      const value = this.items[this.first++] as T;
      if (this.first > 1024 && this.first * 2 > this.items.length) {
        this.items = this.items.slice(this.first);
        this.first = 0;
      }
      if (this.isFull && (this.items.length - this.first) * 2 <= this.size) {
        this.isFull = false;
        this.onRoom();
      }
      return Promise.resolve({ value, done: false });
    }
    if (this.ended) {
      const { failure } = this;
      this.failure = null;
      return failure === null ? Promise.resolve({ value: undefined, done: true }) : Promise.reject(failure);
    }
    return new Promise((resolve, reject) => (this.waiting = { resolve, reject }));
  }

  return(): Promise<IteratorResult<T>> {
    this.end();
    this.items = [];
    this.first = 0;
    this.onReturn();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
