// What changed between two texts, line by line.

// Returns [mark, line] for each line: "-" taken out, "+" put in, " " kept.
export function difference(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  // common[i][j]: lines that a from i and b from j have in common, in order.
  const common = Array.from({ length: a.length + 1 }, () => new Array(b.length + 1).fill(0));
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      common[i][j] = a[i] === b[j] ? common[i + 1][j + 1] + 1 : Math.max(common[i + 1][j], common[i][j + 1]);
    }
  }
  const lines = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (a[i] === b[j] && i < a.length) lines.push([" ", a[i++]]) && j++;
    else if (j === b.length || (i < a.length && common[i + 1][j] >= common[i][j + 1])) lines.push(["-", a[i++]]);
    else lines.push(["+", b[j++]]);
  }
  return lines;
}
