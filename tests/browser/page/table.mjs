// What came of the steps: rows of name, "ok" or "failed", and why.

const PATIENCE_SECONDS = 10;

const text = (error) => (error instanceof Error ? `${error.name}: ${error.message}` : JSON.stringify(error) ?? "nothing");

function add(...cells) {
  const row = document.querySelector("tbody").insertRow();
  for (const cell of cells) row.insertCell().textContent = cell;
}

export const table = {
  fail: (name, error) => add(name, "failed", text(error)),

  // Runs a step; what goes wrong in it ends the page, as the later ones build on it.
  async step(name, run) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done after ${PATIENCE_SECONDS} s`)), PATIENCE_SECONDS * 1000);
    });
    try {
      const result = await Promise.race([run(), late]);
      add(name, "ok", "");
      return result;
    } catch (error) {
      throw new Error(`${name}: ${text(error)}`, { cause: error });
    } finally {
      clearTimeout(timer);
    }
  },
};
