"""The paper's loop written plainly, to hold SKEM's against."""


def plain_loop(count, score, longest=10**9, sampled=lambda i: True, cuts=(), threshold=0.35):
    """One frame and one pair at a time, with Skem's rules written out.

    Args:
        count: frames of the video.
        score: S_rel of frame b against keyframe a, score(a, b).
        longest: frames at which a segment is split.
        sampled: whether frame i is compared.
        cuts: first frames behind hard cuts; empty where segments start at samples only.
        threshold: eta_th.

    Returns:
        The keyframes, and how often `score` was asked.
    """
    keyframes, calls, now = [0], 0, 1
    while now < count:
        latest = keyframes[-1]
        if now - latest == longest:
            keyframes.append(now)
        elif sampled(now):
            calls += 1
            if score(latest, now) > threshold:
                before = max([i for i in range(latest, now) if sampled(i)] or [latest])
                now = min([c for c in cuts if before < c <= now] or [now])
                keyframes.append(now)
        now += 1
    return keyframes, calls
