// The console in headless Chromium.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";

const PICTURES = new URL("../../build/console/", import.meta.url).pathname;
const FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
];
export const DESKTOP = { width: 1280, height: 800 };
export const PHONE = { width: 390, height: 844 };

let browser;
export async function open(context, url, { language = "en", scheme = "light", viewport = DESKTOP } = {}) {
    browser ??= await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });
    const session = await browser.newContext({ locale: language === "zh" ? "zh-CN" : "en-GB", colorScheme: scheme, viewport, reducedMotion: "reduce" });
    const page = await session.newPage();
    // Generous: a busy machine is no failure.
    page.setDefaultTimeout(60_000);
    // Also what the Content-Security-Policy forbids is told here. That an answer is an error is the tests' own doing.
    const wrong = [];
    page.on("pageerror", (error) => wrong.push(error.stack));
    page.on("console", (message) => {
        if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) wrong.push(message.text());
    });
    context.after(async () => {
        await session.close();
        assert.deepEqual(wrong, []);
    });
    await page.goto(url);
    return page;
}

export async function close() {
    await browser?.close();
}

/// What the page says under this name, in its language.
export const say = (page, name, values = {}) =>
    page.evaluate(async ([key, given]) => (await import("/i18n.js")).t(key, given), [name, values]);

export const button = async (page, name, values) => page.getByRole("button", { name: await say(page, name, values), exact: true });
export const link = async (page, name, values) => page.getByRole("link", { name: await say(page, name, values), exact: true });
export const labelled = async (page, name, values) => page.getByLabel(await say(page, name, values), { exact: true });

export async function picture(page, name) {
    mkdirSync(PICTURES, { recursive: true });
    await page.screenshot({ path: `${PICTURES}${name}.png` });
}

/// Nothing reaches beyond the sides of the page.
export async function fits(page) {
    const [content, window] = await page.evaluate(() => [document.documentElement.scrollWidth, innerWidth]);
    assert.ok(content <= window, `${page.url()}: ${content} pixels wide in ${window}`);
}

/// Every visible text stands out from what is behind it as WCAG's level AA asks.
export async function contrasts(page) {
    const bad = await page.evaluate(() => {
        const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
        const parts = (color) => {
            canvas.clearRect(0, 0, 1, 1);
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data];
        };
        const luminance = (color) => {
            const [r, g, b] = color.map((value) => {
                const part = value / 255;
                return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
            });
            return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        };
        const behind = (node) => {
            for (let at = node; at; at = at.parentElement) {
                const color = parts(getComputedStyle(at).backgroundColor);
                if (color[3] === 255) return color;
            }
            return [255, 255, 255];
        };
        const found = [];
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const node = walker.currentNode.parentElement;
            const text = walker.currentNode.textContent.trim();
            if (!text || !node.checkVisibility({ checkVisibilityCSS: true }) || node.closest("option, .off-screen")) continue;
            const style = getComputedStyle(node);
            const [high, low] = [luminance(parts(style.color)), luminance(behind(node))].sort((a, b) => b - a);
            const ratio = (high + 0.05) / (low + 0.05);
            const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
            if (ratio < (large ? 3 : 4.5)) found.push(`${text}: ${ratio.toFixed(2)}`);
        }
        return found;
    });
    assert.deepEqual(bad, []);
}

/// Presses Tab until this has the focus, which then can be seen.
export async function tabTo(page, locator) {
    for (let count = 0; count < 60; count += 1) {
        await page.keyboard.press("Tab");
        const there = await locator.evaluate((node) => {
            if (node !== document.activeElement) return null;
            const style = getComputedStyle(node);
            return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2 ? "seen" : "unseen";
        });
        if (there === "seen") return;
        assert.notEqual(there, "unseen", "the focus cannot be seen");
    }
    assert.fail(`Tab does not lead to ${locator}`);
}

/// Drops a file on this.
export async function drop(page, locator, name, bytes) {
    const transfer = await page.evaluateHandle(
        ([fileName, content]) => {
            const data = new DataTransfer();
            data.items.add(new File([Uint8Array.from(atob(content), (character) => character.charCodeAt(0))], fileName));
            return data;
        },
        [name, Buffer.from(bytes).toString("base64")],
    );
    for (const event of ["dragenter", "dragover", "drop"]) await locator.dispatchEvent(event, { dataTransfer: transfer });
}
