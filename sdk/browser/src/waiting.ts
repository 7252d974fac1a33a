// Promises that are settled from outside.

export interface Waiter<Value = void> {
  resolve(value: Value): void;
  reject(error: unknown): void;
}

// Who does not wait for it hears of a failure elsewhere.
export function waiting<Value = void>(start: (waiter: Waiter<Value>) => void): Promise<Value> {
  const promise = new Promise<Value>((resolve, reject) => start({ resolve, reject }));
  promise.catch(() => undefined);
  return promise;
}
