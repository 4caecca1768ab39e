"use strict";
(() => {
    const $ = id => document.getElementById(id);
    const data = $("serve").dataset, canvas = $("draw"), pen = canvas.getContext("2d", { willReadFrequently: true });
    const height = +data.height, width = +data.width, side = canvas.width;
    /* Strokes are opaque on nothing, so that ink and ground can change places. */
    let drawn = false, last = null;

    /* ---- asking: one request at a time; of what comes meanwhile the newest goes next ---- */
    let running = false, next = null, generation = 0; /* of the picture: an answer to one that was cleared is not shown */
    const busy = is => $("serve").setAttribute("aria-busy", is);
    async function ask(picture, asked = generation) {
        if (asked !== generation) {
            busy(running);
            return;
        }
        if (running) {
            next = picture;
            return;
        }
        running = true;
        busy(true);
        try {
            const answer = await fetch("explain?top=10", { method: "POST", body: picture, headers: { "Content-Type": picture.type || "application/octet-stream" } });
            const told = await answer.json();
            if (!answer.ok)
                throw new Error(told.error);
            if (asked === generation)
                show(told);
        } catch (failure) {
            if (asked === generation)
                $("status").textContent = failure.message;
        }
        running = false;
        const waiting = next;
        next = null;
        if (waiting)
            ask(waiting);
        else
            busy(false);
    }

    /* ---- from the drawing to the model's picture ---- */

    /* The mean of the ink in each cell of a grid over a part of the drawing. */
    function shrink(ink, left, top, w, h, columns, rows) {
        const out = new Float64Array(columns * rows);
        for (let i = 0; i < rows; i++)
            for (let j = 0; j < columns; j++) {
                const y0 = Math.floor(top + i * h / rows), y1 = Math.max(y0 + 1, Math.floor(top + (i + 1) * h / rows));
                const x0 = Math.floor(left + j * w / columns), x1 = Math.max(x0 + 1, Math.floor(left + (j + 1) * w / columns));
                let sum = 0;
                for (let y = y0; y < y1; y++)
                    for (let x = x0; x < x1; x++)
                        sum += ink[4 * (y * side + x) + 3];
                out[i * columns + j] = sum / ((y1 - y0) * (x1 - x0) * 255);
            }
        return out;
    }

    /* As MNIST was made: the box of the ink in 20/28 of the picture, its centre of mass in the middle. */
    function centred(ink) {
        let x0 = side, y0 = side, x1 = 0, y1 = 0;
        for (let y = 0; y < side; y++)
            for (let x = 0; x < side; x++)
                if (ink[4 * (y * side + x) + 3] > 0) {
                    x0 = Math.min(x0, x), x1 = Math.max(x1, x + 1);
                    y0 = Math.min(y0, y), y1 = Math.max(y1, y + 1);
                }
        const scale = Math.min(height, width) * 20 / 28 / Math.max(x1 - x0, y1 - y0);
        const columns = Math.max(1, Math.round((x1 - x0) * scale)), rows = Math.max(1, Math.round((y1 - y0) * scale));
        const small = shrink(ink, x0, y0, x1 - x0, y1 - y0, columns, rows), out = new Float64Array(height * width);
        let mass = 0, mx = 0, my = 0;
        small.forEach((v, k) => {
            mass += v, mx += v * (k % columns + 0.5), my += v * (Math.floor(k / columns) + 0.5);
        });
        const left = Math.round(width / 2 - mx / mass), top = Math.round(height / 2 - my / mass);
        small.forEach((v, k) => {
            const x = left + k % columns, y = top + Math.floor(k / columns);
            if (x >= 0 && x < width && y >= 0 && y < height)
                out[y * width + x] = v;
        });
        return out;
    }

    function send() {
        if (!drawn)
            return;
        busy(true);
        const ink = pen.getImageData(0, 0, side, side).data;
        const values = $("centre").checked ? centred(ink) : shrink(ink, 0, 0, side, side, width, height);
        const small = document.createElement("canvas"), picture = new ImageData(width, height);
        values.forEach((v, k) => {
            const level = Math.round(255 * ($("light").checked ? v : 1 - v));
            picture.data.set([level, level, level, 255], 4 * k);
        });
        small.width = width, small.height = height;
        small.getContext("2d").putImageData(picture, 0, 0);
        const asked = generation;
        small.toBlob(picture => ask(picture, asked), "image/png");
    }

    /* ---- the answer ---- */

    const percent = share => share === null ? "no number" : (100 * share).toFixed(2) + " %";

    function element(name, text, parent) {
        const one = document.createElement(name);
        one.textContent = text;
        parent.append(one);
        return one;
    }

    function showClasses(top) {
        $("classes").replaceChildren(...top.map(one => {
            const row = document.createElement("tr");
            element("th", one.class, row).scope = "row";
            element("div", "", element("td", "", row)).style.width = 100 * one.probability + "%";
            element("td", percent(one.probability), row);
            return row;
        }));
    }

    function showLayer(layer) {
        const figure = document.createElement("figure"), most = Math.max(...layer.values);
        const strongest = layer.values.map((v, k) => [v, k]).sort((a, b) => b[0] - a[0]).slice(0, 3).filter(one => one[0] > 0);
        const words = layer.layer + ": " + layer.fired + " of " + layer.units + " units fired" +
            (strongest.length ? "; strongest " + strongest.map(one => one[1] + " (" + one[0].toFixed(2) + ")").join(", ") : "");
        element("figcaption", words, figure);
        const cells = element("canvas", "", figure), columns = Math.min(layer.units, 32);
        cells.width = columns, cells.height = Math.ceil(layer.units / columns);
        cells.style.width = 10 * columns + "px";
        cells.setAttribute("role", "img");
        cells.setAttribute("aria-label", words);
        const picture = new ImageData(cells.width, cells.height);
        const colour = getComputedStyle(document.documentElement).getPropertyValue("--hit").split(",");
        layer.values.forEach((v, k) => picture.data.set([...colour, most > 0 && v > 0 ? 255 * v / most : 0], 4 * k));
        cells.getContext("2d").putImageData(picture, 0, 0);
        return figure;
    }

    function show(told) {
        $("status").textContent = told.class + ", " + percent(told.probability);
        showClasses(told.top);
        $("input").src = told.input;
        if (told.saliency.picture) /* not where slopes are no numbers */
            $("saliency").src = told.saliency.picture;
        else
            $("saliency").removeAttribute("src");
        const none = document.createElement("p");
        none.textContent = "This model has no hidden units.";
        $("layers").replaceChildren(...(told.layers.length ? told.layers.map(showLayer) : [none]));
    }

    /* ---- hands ---- */

    function clear() {
        pen.clearRect(0, 0, side, side);
        drawn = false;
        generation++;
        next = null;
        $("status").textContent = "";
        for (const list of ["classes", "layers"])
            $(list).replaceChildren();
        for (const picture of ["input", "saliency"])
            $(picture).removeAttribute("src");
    }

    function stroke(event) {
        const box = canvas.getBoundingClientRect(), scale = side / box.width;
        const x = (event.clientX - box.left) * scale, y = (event.clientY - box.top) * scale;
        pen.lineWidth = side / 13;
        pen.lineCap = pen.lineJoin = "round";
        pen.beginPath();
        pen.moveTo(...(last || [x, y]));
        pen.lineTo(x, y);
        pen.stroke();
        last = [x, y];
        drawn = true;
    }

    function colours() {
        const light = $("light").checked;
        canvas.className = light ? "" : "dark";
        pen.globalCompositeOperation = "source-in"; /* what is drawn changes its colour */
        pen.fillStyle = pen.strokeStyle = light ? "#fff" : "#000";
        pen.fillRect(0, 0, side, side);
        pen.globalCompositeOperation = "source-over";
        send();
    }

    function take(file) {
        if (file) {
            clear();
            ask(file);
        }
    }

    canvas.addEventListener("pointerdown", event => {
        canvas.setPointerCapture(event.pointerId);
        last = null;
        stroke(event);
        send();
    });
    canvas.addEventListener("pointermove", event => {
        if (!canvas.hasPointerCapture(event.pointerId))
            return;
        (event.getCoalescedEvents ? event.getCoalescedEvents() : [event]).forEach(stroke);
        send();
    });
    canvas.addEventListener("pointerup", send);
    $("clear").addEventListener("click", () => {
        clear();
        $("status").textContent = "Nothing is drawn.";
    });
    $("light").addEventListener("change", colours);
    $("centre").addEventListener("change", send);
    $("file").addEventListener("change", event => take(event.target.files[0]));
    document.addEventListener("dragover", event => event.preventDefault());
    document.addEventListener("drop", event => {
        event.preventDefault();
        take(event.dataTransfer.files[0]);
    });
    document.addEventListener("paste", event => take(event.clipboardData.files[0]));
    $("light").checked = data.mean < 0.5;
    $("centre").checked = data.channels === "1";
    colours();
})();
