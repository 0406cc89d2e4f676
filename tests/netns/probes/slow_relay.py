"""A TCP relay that holds every piece back for a while, each way: a distant server.

    slow_relay.py LISTEN PORT TO PORT SECONDS
"""
import asyncio
import sys


async def carry(reader, writer, delay):
    loop, pieces = asyncio.get_running_loop(), asyncio.Queue()

    async def read():
        while piece := await reader.read(65536):
            pieces.put_nowait((loop.time() + delay, piece))
        pieces.put_nowait((loop.time() + delay, b""))

    task = asyncio.create_task(read())
    try:
        while True:
            due, piece = await pieces.get()
            await asyncio.sleep(due - loop.time())
            if not piece:
                writer.write_eof()
                break
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        task.cancel()


async def serve(reader, writer):
    try:
        far_reader, far_writer = await asyncio.open_connection(sys.argv[3], int(sys.argv[4]))
    except OSError:
        writer.transport.abort()
        return
    delay = float(sys.argv[5])
    await asyncio.gather(carry(reader, far_writer, delay), carry(far_reader, writer, delay), return_exceptions=True)
    writer.close()
    far_writer.close()


async def main():
    server = await asyncio.start_server(serve, sys.argv[1], int(sys.argv[2]))
    await server.serve_forever()


asyncio.run(main())
